"""What of the site is made when it is built: pages, pictures, and where files of the repository are shown."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from seqrec.reporting import figures
from seqrec.reporting.data_figure import data_figure
from seqrec.reporting.site.api_pages import api_pages, places
from seqrec.reporting.site.conf_files import read_conf
from seqrec.reporting.site.data_pages import Kept, data_pages, data_sets, figure_title
from seqrec.reporting.site.described import Docstrings
from seqrec.reporting.site.key_pages import key_pages, place_of
from seqrec.reporting.site.model_pages import Sources, model_pages, sources
from seqrec.runs.files import read_json


@dataclass(frozen=True)
class Made:
    """What is added to the pages by hand.

    Attributes:
        pages: Markdown by path in the site.
        places: where a file of the repository is described, by its path: page and anchor.
        repository: address of the repository; None where ``pyproject.toml`` has none.
        given: what the pages were made of.
        kept: figures of the data sets.
    """

    pages: dict[str, str]
    places: dict[str, str]
    repository: str | None
    given: Sources
    kept: Kept

    def pictures(self) -> dict[str, str | bytes]:
        """SVG by path in the site: curves of the stored runs, and the data sets."""
        found: dict[str, str | bytes] = {}
        for folder, stored in self.given.stored.items():
            for run in stored:
                monitor = str(run.card.weights).rpartition("val/")[2] or "ndcg@10"
                title = f"{run.name} on {run.card.data['name']}, seed {run.card.seed}"
                found[f"images/runs/{folder}/{run.name}.svg"] = _svg(figures.curves(run.log, monitor, title))
        for name in data_sets(self.given):
            if name in self.kept:
                picture = data_figure({"events": None, **self.kept[name]}, figure_title(name, self.kept))
                found[f"images/data/{name}.svg"] = _svg(picture)
        return found


def make(root: Path) -> Made:
    """Make all of it.

    Args:
        root: of the repository.

    Raises:
        ValueError: a file of the configuration or a stored run cannot be read.
    """
    files, docstrings = read_conf(root / "conf"), Docstrings(root)
    given = sources(root, files, docstrings)
    kept = read_json(root / "docs" / "data-checks.json")
    api = api_pages(docstrings)
    pages = key_pages(files, docstrings) | model_pages(given) | data_pages(given, kept) | api
    shown = {f"conf/{name}.yaml": place_of(name) for name in files}
    shown |= {f"conf/{file.group}": f"keys/{file.group.partition('/')[0]}.md" for file in files.values() if file.group}
    shown |= {f"tests/parity/test_{name}.py": f"models/{name}.md#parity" for name in given.papers}
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return Made(pages, shown | places(api, root), project.get("urls", {}).get("Repository"), given, kept)


def _svg(figure: figures.Figure) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "figure.svg"
        figures.save(figure, path)
        return path.read_bytes()

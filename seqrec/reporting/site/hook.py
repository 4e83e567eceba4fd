"""What mkdocs calls: it adds the generated pages, puts them into the navigation, and turns links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from seqrec.reporting.site.links import rewritten
from seqrec.reporting.site.made import Made, make

ROOT = Path(__file__).parents[3]
BESIDE = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
"""Pages whose files lie at the top of the repository."""

made: Made


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Make all pages anew, and list them where the navigation has ``folder/*``."""
    global made
    made = make(ROOT)
    config.nav = _listed(config.nav)
    return config


def _listed(nav: Any) -> Any:
    if isinstance(nav, dict):
        return {title: _listed(below) for title, below in nav.items()}
    if not isinstance(nav, list):
        return nav
    found = []
    for entry in nav:
        if isinstance(entry, str) and entry.endswith("/*"):
            found += [name for name in made.pages if name.startswith(entry[:-1]) and not name.endswith("/index.md")]
        else:
            found.append(_listed(entry))
    return found


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is made, and the pages from the top of the repository."""
    content: dict[str, str | bytes] = {name: (ROOT / path).read_text(encoding="utf-8") for name, path in BESIDE.items()}
    for name, text in (content | made.pages | made.pictures()).items():
        present = files.get_file_from_path(name)
        if present is not None:
            files.remove(present)  # a page by hand is part of the one that is made
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of a page, which are those of its file in the repository."""
    source = page.file.src_uri

    def place(path: str) -> str | None:
        for name, own in BESIDE.items():
            if path == own:
                return name
        inside = path.removeprefix("docs/")
        file = files.get_file_from_path(inside) if inside != path else None
        if file is not None and file.inclusion.is_included():
            return inside
        return made.places.get(path)

    if source == "models.md":
        markdown = re.sub(r"^\| `(\w+)`( *)\|", r"| [`\1`](models/\1.md)\2|", markdown, flags=re.MULTILINE)
    return rewritten(markdown, BESIDE.get(source, f"docs/{source}"), source, place, made.repository)

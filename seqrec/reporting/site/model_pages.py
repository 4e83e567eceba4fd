"""A page for each model: its paper, how it is built, our reading, settings, parity checks and results."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqrec.reporting import results
from seqrec.reporting.models import Model, models
from seqrec.reporting.site.conf_files import ConfFile, defaults
from seqrec.reporting.site.described import Docstrings, plain
from seqrec.reporting.site.key_pages import COLUMNS, place_of, rows
from seqrec.reporting.site.markup import code, comment, escaped, table
from seqrec.reporting.table import Cell
from seqrec.runs.kept import Run, model_of, runs

HEAD = ("Paper: ", "Reference: ", "Idea: ")
PAPERS = {"easnrec": "EASNRec's paper", "fenrec": "FENRec's paper", "recboard": "RecBoard"}


@dataclass(frozen=True)
class Sources:
    """What model pages are made of.

    Attributes:
        root: of the repository.
        files: of the configuration.
        docstrings: of the package.
        papers: the models that have one, by name.
        tables: rows of the stored runs, by the name of their folder in ``docs/runs``.
        stored: the runs themselves, likewise.
    """

    root: Path
    files: Mapping[str, ConfFile]
    docstrings: Docstrings
    papers: Mapping[str, Model]
    tables: Mapping[str, tuple[Sequence[str], Sequence[Sequence[Cell]]]]
    stored: Mapping[str, Sequence[Run]]


def sources(root: Path, files: Mapping[str, ConfFile], docstrings: Docstrings) -> Sources:
    """Read what all pages share."""
    folders = [path for path in sorted((root / "docs" / "runs").iterdir()) if path.is_dir()]
    made = {folder.name: results.table(folder) for folder in folders}
    tables = {name: (one.columns, one.rows) for name, one in made.items()}
    stored = {folder.name: runs(folder) for folder in folders}
    return Sources(root, files, docstrings, {model.name: model for model in models(root)}, tables, stored)


def model_pages(given: Sources) -> dict[str, str]:
    """The pages, by path in the site; a page that is written by hand begins and ends with what is made here."""
    names = [name.removeprefix("model/") for name, file in given.files.items() if file.group == "model"]
    return {f"models/{name}.md": _page(name, given) for name in names}


def title_of(name: str, file: ConfFile) -> str:
    """The model's own name, with which the last part of its head begins."""
    own = [line for line in file.head.splitlines() if not line.startswith(HEAD)]
    return own[0].split()[0].rstrip(":") if own else name.capitalize()


def _page(name: str, given: Sources) -> str:
    file = given.files[f"model/{name}"]
    by_hand = given.root / "docs" / "models" / f"{name}.md"
    title, body = f"# {title_of(name, file)}\n", ""
    if by_hand.exists():
        written = by_hand.read_text(encoding="utf-8")
        title, _, body = written.partition("\n")
    parts = [f"{title}\n", *_card(name, given), body, *_built(name, given)]
    parts += [*_settings(name, given), *_parity(name, given), *_results(name, given)]
    return "\n".join(parts) + "\n"


def _card(name: str, given: Sources) -> Iterator[str]:
    model, data = given.papers.get(name), "beauty"
    if model:
        yield f"**{escaped(model.idea)}**\n"
        facts = [["paper", escaped(model.paper)], ["compared with", escaped(model.reference)]]
        facts.append(["parity checks passed", f"[{model.parity}](#parity)"])
        yield f'<div class="card" markdown>\n{table(["", ""], facts)}\n</div>\n'
    yield f"```bash\npython main.py model={name} data={data}\n```\n"


def _built(name: str, given: Sources) -> Iterator[str]:
    """What the docstrings say of the method and the backbone, and what the configuration says of our reading."""
    values = defaults(given.files, name)
    yield "## How it is built\n"
    for part, key in (("method", "model._target_"), ("backbone", "model.backbone._target_")):
        target = values.get(key, "")
        text = given.docstrings.module_text(target)
        if text:
            place = given.docstrings.module(target).replace(".", "/")
            yield f"**{part.capitalize()}**, [`{target.rpartition('.')[2]}`](../../{place}.py): {_told(text)}\n"
    own = [line for line in given.files[f"model/{name}"].head.splitlines() if not line.startswith(HEAD)]
    if own:
        yield f"**Our reading**: {escaped(' '.join(own))}\n"


def _told(text: str) -> str:
    """The docstring of a module, without the name before its first colon."""
    first, *rest = plain(text).split("\n\n")
    _, colon, after = first.partition(": ")
    told = after[:1].upper() + after[1:] if colon and len(first.partition(": ")[0].split()) < 4 else first
    return "\n\n".join(escaped(" ".join(part.split())) for part in (told, *rest))


def _settings(name: str, given: Sources) -> Iterator[str]:
    """The model's own keys, then what each data set and each paper changes, beside the defaults."""
    file, values = given.files[f"model/{name}"], defaults(given.files, name)
    yield "## Settings\n"
    yield f"Of [`conf/model/{name}.yaml`](../{place_of(file.name)}); its parts have keys of their own.\n"
    yield table(COLUMNS, rows(file, given.files, given.docstrings, "../keys/"))
    own = {data: f"settings/{name}/{data}" for data in _data_sets(given, f"settings/{name}/")}
    if own:
        yield "### By data set\n\nWhat applies by itself with `data=`, unless `settings=none` is given.\n"
        yield from _compared(own, values, given.files)
    for paper, words in PAPERS.items():
        folder = f"paper_settings/{paper}/{name}/"
        of_paper = {data: f"{folder}{data}" for data in _data_sets(given, folder)}
        if of_paper:
            yield f"### By {words}\n\nWhat applies with `paper={paper}` as well.\n"
            yield from _compared(of_paper, values, given.files)


def _data_sets(given: Sources, folder: str) -> list[str]:
    names = [name.removeprefix(folder) for name in given.files if name.startswith(folder)]
    return [name for name in names if name != "base"]


def _compared(names: Mapping[str, str], values: Mapping[str, str], files: Mapping[str, ConfFile]) -> Iterator[str]:
    """One row a key, one column a file; then the comments of the files."""
    columns = {data: with_parts(name, files) for data, name in names.items()}
    keys = dict.fromkeys(key for column in columns.values() for key in column)
    cells = [[values.get(key, ""), *(column.get(key, "") for column in columns.values())] for key in keys]
    titles = ["key", "default", *(f"[{data}](../data/{data}.md)" for data in columns)]
    yield table(titles, [[code(key), *map(code, row)] for key, row in zip(keys, cells, strict=True)])
    heads: dict[str, list[str]] = {}
    for data, name in names.items():
        shared = [files[part].head for part in files[name].parts if part in files]
        for head in (*shared, files[name].head):
            if head:
                heads.setdefault(head, []).append(data)
    for head, of in heads.items():
        yield f"*{', '.join(of)}*: {comment(head).strip()}\n"


def with_parts(name: str, files: Mapping[str, ConfFile]) -> dict[str, str]:
    """Value by key of a file of settings and of the files that it begins with."""
    found: dict[str, str] = {}
    for part in files[name].parts:
        found |= with_parts(part, files) if part in files else {}
    return found | files[name].values()


def _parity(name: str, given: Sources) -> Iterator[str]:
    model = given.papers.get(name)
    if model is None:
        return
    test = given.root / "tests" / "parity" / f"test_{name}.py"
    versions = json.loads((given.root / "docs" / "parity.json").read_text(encoding="utf-8"))["versions"]
    yield "## Parity\n"
    yield (
        f"Compared with {escaped(model.reference)}: {model.parity} checks passed, last recorded with "
        f"{', '.join(f'{library} {version}' for library, version in versions.items())}. "
        f"`pytest tests/parity/{test.name}` repeats them ([what parity means](../models.md)):\n"
    )
    names = [
        node.name for node in ast.parse(test.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)
    ]
    checks = [name.removeprefix("test_").replace("_", " ") for name in names if name.startswith("test_")]
    yield "\n".join(f"* {check}" for check in checks) + "\n"


def _results(name: str, given: Sources) -> Iterator[str]:
    """The rows of the stored runs, and their curves."""
    yield "## Results\n"
    pictures, empty = [], True
    for folder, (columns, listed) in given.tables.items():
        card = given.stored[folder][0].card
        for row in listed:
            of_run = str(row[0]).removesuffix(" †")
            if model_of(of_run) != name:
                continue
            empty = False
            cells = dict(zip(columns, row, strict=True))
            yield f"**{card.data['name']}**, `protocol={card.protocol}`{' †' if str(row[0]).endswith('†') else ''}:\n"
            if any(run.name == of_run for run in given.stored[folder]):
                picture = f"../images/runs/{folder}/{of_run}.svg"
                pictures.append(f"![losses and validation by epoch on {card.data['name']}]({picture})\n")
            cells.pop("model", None)
            command = cells.pop("command", "")
            cells = {column: cell for column, cell in cells.items() if cell != ""}
            yield table(list(cells), [list(cells.values())])
            if command:
                yield f"```bash\n{str(command).strip('`')}\n```\n"
    if empty:
        yield "No finished run of it is stored yet; [results](../results.md) has those that are.\n"
    else:
        yield "Runs on CPUs, some beside other work, stored in `docs/runs`; † and more in [results](../results.md).\n"
    yield from pictures

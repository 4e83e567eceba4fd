"""A page for each data set: where it comes from, what is in it, how its runs turned out, and its keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from seqrec.reporting.data_check import published_table, sizes
from seqrec.reporting.data_page import LOGS, SEQUENCES, tables
from seqrec.reporting.site.described import plain
from seqrec.reporting.site.key_pages import place_of
from seqrec.reporting.site.markup import code, escaped
from seqrec.reporting.site.model_pages import Sources
from seqrec.reporting.table import Cell, Table
from seqrec.runs.kept import model_of

Kept = Mapping[str, Mapping[str, Any]]

FIRST = """# Data sets

Chosen with `data=`. Each page says where the data come from, on which terms, and what
[the checks](../data-checks.md) found.

"""
GUIDE = {
    "custom": "[From your own log to recommendations](../own_log.md) is the short way, "
    "[What a log may look like](../adding/dataset.md#what-a-log-may-look-like) has all keys with examples.",
    "synthetic": "Nothing is read: it is the data set to try a model with, since the best possible ranking is known.",
}
PARTS = {
    "sizes": "## What is in it\n\nThe file of sequences; L is the length that models see, *longer* what is cut.\n",
    "targets and ids": "What its test targets and its ids tell:\n",
    "times": "## Times\n\nOf the log with times: ties, and how much of the training comes after a test target.\n",
    "rows": "Rows of that log, after each filter and in the parts of the split:\n",
}


def data_pages(given: Sources, kept: Kept) -> dict[str, str]:
    """The pages, by path in the site.

    Args:
        given: what model pages are made of, too.
        kept: figures of the checks, as in ``docs/data-checks.json``.
    """
    names = data_sets(given)
    found = tables(kept)
    pages = {f"data/{name}.md": _page(name, given, kept, found) for name in names}
    return {"data/index.md": _index(names, given, kept)} | pages


def data_sets(given: Sources) -> list[str]:
    """The options of ``data=``."""
    return [
        name.removeprefix("data/") for name, file in given.files.items() if file.group == "data" and name != "data/base"
    ]


def title_of(name: str) -> str:
    """The name of a data set for people."""
    return SEQUENCES.get(name, name.capitalize())


def _index(names: list[str], given: Sources, kept: Kept) -> str:
    rows: list[list[Cell]] = []
    for name in names:
        found = kept[name]["sizes"] if name in kept else {}
        counts = [f"{found[key]:,}" if found else "" for key in ("users", "items", "actions")]
        about = _paragraphs(given.docstrings.module_text(_target(name, given)))[0]
        rows.append([f"[`{name}`]({name}.md)", escaped(about), *counts])
    return FIRST + Table(["data", "what it is", "users", "items", "actions"], rows).markdown()


def _page(name: str, given: Sources, kept: Kept, found: Mapping[str, Table]) -> str:
    parts = [*_source(name, given), *_figures(name, kept, found), *_runs(name, given)]
    return "\n".join([f"# {title_of(name)}\n", *parts])


def _target(name: str, given: Sources) -> str:
    return given.files[f"data/{name}"].values()["data._target_"]


def _source(name: str, given: Sources) -> Iterator[str]:
    target, docstrings = _target(name, given), given.docstrings
    yield "\n\n".join(map(escaped, _paragraphs(docstrings.module_text(target)))) + "\n"
    if name in GUIDE:
        yield f"{GUIDE[name]}\n"
    chosen = f"data={name}" + (" data.path=log.csv" if name == "custom" else "")
    yield f"```bash\npython main.py model=sasrec {chosen}\npython main.py task=check_data {chosen}\n```\n"
    yield "## Where it comes from\n"
    yield "\n\n".join(map(escaped, _paragraphs(docstrings.text(target)))) + "\n"
    place = docstrings.module(target).replace(".", "/")
    keys, reader = place_of(f"data/{name}"), target.rpartition(".")[2]
    yield f"[All keys](../{keys}) are in `conf/data/{name}.yaml`, the reader is [`{reader}`](../../{place}.py).\n"


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in plain(text).split("\n\n")]


def _figures(name: str, kept: Kept, found: Mapping[str, Table]) -> Iterator[str]:
    for part, words in PARTS.items():
        titles = SEQUENCES if part in ("sizes", "targets and ids") else LOGS
        key = name if titles is SEQUENCES else f"{name}_log"
        row = next((row for row in found[part].rows if key in titles and row[0] == titles[key]), None)
        if row is None:
            continue
        yield words
        facts = [list(pair) for pair in zip(found[part].columns[1:], row[1:], strict=True)]
        yield f'<div class="card" markdown>\n\n{Table(["", ""], facts).markdown()}\n</div>\n'
        if part == "sizes":
            yield f"![users by the length of their history, items by popularity](../images/data/{name}.svg)\n"
    if name in kept and kept[name]["published"]:
        yield "## Published sizes\n"
        yield published_table(kept[name]).markdown()
    checked = {key: kept[key] for key in (name, f"{name}_log") if key in kept}
    if checked:
        yield "## What the checks found\n"
        for key, one in checked.items():
            beyond = [f"{code(check['name'])} ({check['verdict']})" for check in one["findings"] if _is_beyond(check)]
            words = "with times" if key.endswith("_log") else "of sequences"
            yield f"* The file {words}: {', '.join(beyond) or 'nothing above its limit'}"
        yield "\n[The checks](../data-checks.md) explains all columns and names.\n"


def _is_beyond(check: Mapping[str, Any]) -> bool:
    return check["verdict"] in ("warning", "fault")


def _runs(name: str, given: Sources) -> Iterator[str]:
    """The stored runs on the data set."""
    for folder, (columns, rows) in given.tables.items():
        card = given.stored[folder][0].card
        if card.data["name"] != name:
            continue
        yield f"## Results with `protocol={card.protocol}`\n"
        known = {file.rpartition("/")[2] for file in given.files if file.startswith("model/")}
        linked = [[_linked(str(row[0]), known), *row[1:-1]] for row in rows]
        yield Table(columns[:-1], linked).markdown()
        yield "\nThe commands are on [the page of all results](../results.md), with what to know before comparing.\n"


def _linked(cell: str, models: set[str]) -> str:
    name, _, mark = cell.partition(" ")
    model = model_of(name)
    return f"[{name}](../models/{model}.md) {mark}".rstrip() if model in models else cell


def figure_title(name: str, kept: Kept) -> str:
    """Of the picture of a data set: its name and sizes."""
    return sizes(title_of(name), kept[name])

"""The printed cells of papers as data: ``printed/<paper>/table_<n>.yaml`` and ``figure_<n>.yaml`` beside this file.

A file of a table has its values by data set and row, one for each metric. A file of a figure, whose values are not
printed, has the options of its axis and where the paper's text says that the best lies, or rows as a table has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from seqrec.reporting.papers.counts import TABLES

PRINTED = Path(__file__).parent / "printed"


@dataclass(frozen=True)
class Row:
    """A row of a table, or a point of a figure.

    Attributes:
        name: unique in its table.
        label: as printed.
        arguments: of the command line that make it, beside paper, data set and seed.
        protocol: under which the paper's code judges it.
        option: value on the axis of a figure; None in a table.
    """

    name: str
    label: str
    arguments: tuple[str, ...]
    protocol: str
    option: Any = None

    @property
    def model(self) -> str:
        """Name of its model."""
        return next(word.partition("=")[2] for word in self.arguments if word.startswith("model="))


@dataclass(frozen=True)
class Published:
    """A table or figure of a paper.

    Attributes:
        paper: as in ``paper=``.
        name: ``table_1`` or ``figure_6``.
        title: its caption.
        source: where it stands.
        seeds: of the runs that a mean is taken over.
        metrics: names as in ``metrics.json``, in the order of the columns.
        data: data sets, as in ``data=``.
        rows: by name.
        tolerance: of a value, relative to what is printed; None where nothing is.
        values: by data set and row, one a metric.
        deviations: standard deviations over seeds in the same order, None where none is legible.
        drawn: how a figure is drawn, see :mod:`seqrec.reporting.papers.drawn`; None for a table.
        axis: label of the options of a figure; None where it has none.
        best: by data set the options of a figure between or at which the text says that the best lies.
        shown: the metrics that are asked for.
        logged: columns of ``log.csv`` that a run of a cell has, because its command asks for a diagnosis.
        trial: arguments of the runs of a trial, such as epochs that the figure needs.
    """

    paper: str
    name: str
    title: str
    source: str
    seeds: tuple[int, ...]
    metrics: tuple[str, ...]
    data: tuple[str, ...]
    rows: Mapping[str, Row]
    tolerance: float | None
    values: Mapping[str, Mapping[str, Sequence[float]]]
    deviations: Mapping[str, Mapping[str, Sequence[float | None]]]
    drawn: str | None
    axis: str | None
    best: Mapping[str, Sequence[Any]]
    shown: tuple[str, ...]
    logged: tuple[str, ...]
    trial: tuple[str, ...]

    def value(self, data: str, row: str, metric: str) -> float | None:
        """What is printed; None where nothing is."""
        found = self.values.get(data, {}).get(row)
        return None if found is None else found[self.metrics.index(metric)]

    def deviation(self, data: str, row: str, metric: str) -> float | None:
        """The printed standard deviation over seeds; None where none is, or none legible."""
        found = self.deviations.get(data, {}).get(row)
        return None if found is None else found[self.metrics.index(metric)]

    def only(
        self, data: Sequence[str] = (), rows: Sequence[str] | None = None, metrics: Sequence[str] | None = None
    ) -> Published:
        """The part of some data sets, in the order asked for, of some rows and some metrics; all where none is named.

        Raises:
            ValueError: the table has no such data set, row or metric.
        """
        there = {"data set": self.data, "row": tuple(self.rows), "metric": self.metrics}
        for (kind, known), wanted in zip(there.items(), (data, rows, metrics), strict=True):
            for name in wanted or ():
                if str(name) not in known:
                    raise ValueError(f"{self.name} of {self.paper} has no {kind} {name!r}; it has {', '.join(known)}")
        return replace(
            self,
            data=tuple(data) or self.data,
            rows={str(name): self.rows[str(name)] for name in rows or self.rows},
            shown=tuple(metrics or self.shown),
        )


def names(paper: str) -> list[str]:
    """The tables and figures of a paper that are known here, tables first.

    Raises:
        ValueError: none is.
    """
    papers = sorted(path.name for path in PRINTED.iterdir() if path.is_dir())
    if paper not in papers:
        raise ValueError(f"paper={paper}: tables are known of {', '.join(papers)}; choose one with paper=...")
    found = sorted(path.stem for path in (PRINTED / paper).glob("*.yaml"))
    return sorted(found, key=lambda name: name.startswith("figure"))


def load(paper: str, table: str) -> Published:
    """A table or figure.

    Args:
        paper: as in ``paper=``.
        table: such as ``1``, ``E`` or ``figure_6``; a number alone is a table.

    Raises:
        ValueError: there is none of that name; those that there are.
    """
    known = names(paper)
    stored = {name: _read(paper, name) for name in known}
    also = {str(content["also"]): name for name, content in stored.items() if "also" in content}
    name = table if table in known else f"table_{also.get(table, table).removeprefix('table_')}"
    if name not in known:
        words = [one.removeprefix("table_") for one in known] + sorted(also) + [n for of, n in TABLES if of == paper]
        near = get_close_matches(table, words, 1)
        hint = f"; did you mean {near[0]}?" if near else ";"
        raise ValueError(f"{paper} has no table {table!r} here{hint} it has {', '.join(words)}")
    content = stored[name]
    return Published(
        paper=paper,
        name=name,
        title=content["title"],
        source=content["source"],
        seeds=tuple(content["seeds"]),
        metrics=tuple(content["metrics"]),
        data=tuple(content.get("data") or content["values"]),
        rows={row.name: row for row in _rows(content)},
        tolerance=content.get("tolerance"),
        values=content.get("values", {}),
        deviations=content.get("deviations", {}),
        drawn="options" if "figure" in content else content.get("drawn"),
        axis=content["figure"]["axis"] if "figure" in content else None,
        best=content.get("best", {}),
        shown=tuple(content["metrics"]),
        logged=tuple(content.get("logged", ())),
        trial=tuple(content.get("trial", ())),
    )


def _read(paper: str, name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((PRINTED / paper / f"{name}.yaml").read_text(encoding="utf-8"))
    return content


def _rows(content: Mapping[str, Any]) -> list[Row]:
    protocol = content["protocol"]
    if "figure" not in content:
        return [
            Row(name, row["label"], tuple(row["arguments"]), row.get("protocol", protocol))
            for name, row in content["rows"].items()
        ]
    figure = content["figure"]
    base = tuple(figure["arguments"])
    return [
        Row(str(option), f"{figure['axis']} {option}", (*base, f"{figure['key']}={option}"), protocol, option)
        for option in figure["options"]
    ]

"""Tables of papers whose cells are no runs: counts of data sets, beside what is printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqrec.data.checks.fenrec_table_d import GROUPS, READINGS, interactions_per_item
from seqrec.data.checks.log import Log
from seqrec.data.checks.published import EASNREC, PUBLISHED, TABLE_D, compared, sizes
from seqrec.data.errors import DataError
from seqrec.reporting.table import Cell, Table
from seqrec.reporting.terminal import console, from_here
from seqrec.runs.files import replacing
from seqrec.runs.slicing import name_of_lengths

COLUMNS = ["data", "cell", "printed", "ours", "verdict"]
VERDICTS = {"same": "pass", "same, with padding": "pass, with padding"}

Counted = Callable[[str, Log], list[dict[str, str]]]
"""Cells of a data set with ``cell``, ``printed``, ``ours``, ``verdict`` and ``why`` it may differ."""


@dataclass(frozen=True)
class Counts:
    """A table of counts.

    Attributes:
        name: of its files.
        title: its caption.
        data: sets, in its order.
        counted: what is counted of each.
    """

    name: str
    title: str
    data: tuple[str, ...]
    counted: Counted

    def only(self, data: Sequence[str], parts: Sequence[str] | None = None) -> Sequence[str]:
        """Some of the data sets, all where none is named.

        Args:
            data: sets.
            parts: rows or metrics, which such a table does not have.

        Raises:
            ValueError: the table has no such data set or part.
        """
        if parts:
            raise ValueError(
                f"{self.name} counts data sets: task.rows and task.metrics choose nothing here; leave them out"
            )
        for name in data:
            if name not in self.data:
                raise ValueError(f"{self.name} has no data set {name!r}; it has {', '.join(self.data)}")
        return data or self.data


def _sizes(name: str, log: Log) -> list[dict[str, str]]:
    published = next(one for one in PUBLISHED[name] if one.source == EASNREC)
    return [
        row | {"verdict": VERDICTS.get(row["verdict"], "fail")} for row in compared(published, sizes(log.sequences))
    ]


def _per_item(name: str, log: Log) -> list[dict[str, str]]:
    rows = []
    ours = interactions_per_item(log, *next(iter(READINGS.values())))
    for group, printed, value in zip(GROUPS, TABLE_D[name], ours, strict=True):
        found = "" if value is None else f"{value:.4f}"
        verdict = "pass" if found == printed else "fail"
        rows.append({"cell": name_of_lengths(*group), "printed": printed, "ours": found, "verdict": verdict, "why": ""})
    return rows


TABLES = {
    ("easnrec", "1"): Counts(
        "table_1", "Statistics of the three processed datasets (Zhang et al., 2026, Table 1)",
        ("sports", "yelp", "ml1m"), _sizes,
    ),
    ("fenrec", "D"): Counts(
        "table_D", "Average number of interactions per item within user interaction sequences of different lengths "
        "(Huang et al., AAAI 2025, Table D)", ("sports", "beauty", "toys", "yelp"), _per_item,
    ),
}  # fmt: skip
"""By paper and name."""


def find(paper: str, table: str) -> Counts | None:
    """The table of counts of that name; None where it is none of these."""
    return TABLES.get((paper, table.removeprefix("table_")))


def show(folder: Path, counts: Counts, data: Sequence[str], read: Callable[[str], Log]) -> None:
    """Count, print and write as Markdown, LaTeX and CSV; a data set that is not there is named with what to do.

    Args:
        folder: for the files.
        counts: the table.
        data: sets, of its own.
        read: the log of a data set, by its name.
    """
    rows: list[list[Cell]] = []
    notes = []
    for name in data:
        try:
            found = counts.counted(name, read(name))
        except DataError as error:
            rows.append([name, "", "", "", "missing"])
            notes.append(f"{name} is missing: {error}")
            continue
        rows += [[name, *(row[column] for column in COLUMNS[1:])] for row in found]
        notes += [f"{name}, {row['cell']} {row['printed']}: {row['why']}" for row in found if row["why"]]
    table = Table(COLUMNS, rows)
    console.print(f"\n{counts.title}\n\n{table.text()}\n", soft_wrap=True)
    for note in notes:
        console.print(note, soft_wrap=True)
    folder.mkdir(parents=True, exist_ok=True)
    said = "\n".join(f"* {note}" for note in notes)
    forms = {"md": f"{counts.title}\n\n{table.markdown()}\n{said}\n", "tex": table.latex() + "\n", "csv": table.csv()}
    for ending, text in forms.items():
        with replacing(folder / f"{counts.name}.{ending}") as partial:
            partial.write_text(text, encoding="utf-8")
    console.print(
        f"\ntables in {from_here(folder)}: {', '.join(f'{counts.name}.{end}' for end in forms)}", soft_wrap=True
    )

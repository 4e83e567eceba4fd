"""One table for every place: the terminal, Markdown pages, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from tabulate import tabulate

from seqrec.functional.intervals import LEVEL, Interval

Cell = str | int | float | Interval | None

USERS = "± users"
"""Column behind a mean over seeds, for what its users say."""


@dataclass(frozen=True)
class Table:
    """Rows under named columns; fractions are shown with four digits.

    Attributes:
        columns: their titles.
        rows: one cell a column; None stays empty.
        caption: what is to be known of its numbers; ``csv`` has none.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""

    def text(self) -> str:
        """For a terminal; the table of a run fits into 80 columns, so no digit is lost where nobody can widen it."""
        cells = [list(self.columns), *self._cells()]
        rules = ["-" * max(len(row[place]) for row in cells) for place in range(len(self.columns))]
        drawn = tabulate([cells[0], rules, *cells[1:]], tablefmt="plain", disable_numparse=True, colalign=self._align())
        return f"{drawn}\n\n{self.caption}" if self.caption else drawn

    def markdown(self) -> str:
        """For a page, with a newline at the end."""
        return self._drawn("github") + "\n" + (f"\n{self.caption}\n" if self.caption else "")

    def latex(self) -> str:
        """For a paper, with the rules of booktabs, the caption as a comment."""
        return "".join(f"% {line}\n" for line in self.caption.splitlines()) + self._drawn("latex_booktabs")

    def csv(self) -> str:
        """For programs: numbers with all their digits, the ends of an interval in columns beside its mean."""
        flat = self.flat()
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(flat.columns)
        writer.writerows(flat.rows)
        return out.getvalue()

    def flat(self) -> Table:
        """The same with ``<column>_low`` and ``<column>_high`` after each column that has an interval."""
        wide = self._with_interval()
        columns = [
            name
            for column, many in zip(self.columns, wide, strict=True)
            for name in ([column, f"{column}_low", f"{column}_high"] if many else [column])
        ]
        rows = [
            [one for cell, many in zip(row, wide, strict=True) for one in (_ends(cell) if many else [cell])]
            for row in self.rows
        ]
        return Table(columns, rows)

    def records(self) -> list[dict[str, Cell]]:
        """Rows of :meth:`flat` by their columns."""
        flat = self.flat()
        return [dict(zip(flat.columns, row, strict=True)) for row in flat.rows]

    def stacked(self) -> Table:
        """The same with "±" and the halves of the intervals in a line below each row: no column becomes wider."""
        rows: list[Sequence[Cell]] = []
        for row in self.rows:
            rows.append([cell.mean if isinstance(cell, Interval) else cell for cell in row])
            if any(isinstance(cell, Interval) for cell in row):
                rows.append(["±", *(cell.half if isinstance(cell, Interval) else None for cell in row[1:])])
        return Table(self.columns, rows, self.caption)

    def _with_interval(self) -> list[bool]:
        """Of each column, whether one of its cells has an interval."""
        return [any(isinstance(row[place], Interval) for row in self.rows) for place in range(len(self.columns))]

    def _drawn(self, form: str) -> str:
        return tabulate(self._cells(), list(self.columns), tablefmt=form, disable_numparse=True, colalign=self._align())

    def _cells(self) -> list[list[str]]:
        return [[_shown(cell) for cell in row] for row in self.rows]

    def _align(self) -> list[str]:
        """Columns with a number are aligned to the right, unless some have an interval behind them."""
        numeric = [any(isinstance(row[place], int | float) for row in self.rows) for place in range(len(self.columns))]
        wide = self._with_interval()
        return ["right" if number and not many else "left" for number, many in zip(numeric, wide, strict=True)]


def over_users_caption(rows: Sequence[Sequence[Cell]], users: int | None = None) -> str:
    """What "±" is where it stands behind numbers of single runs; empty where none does.

    Args:
        rows: of the table.
        users: how many, where all rows have the same.
    """
    many = "" if users is None else f"{users:,} "
    shown = any(isinstance(cell, Interval) for row in rows for cell in row)
    return f"±: half of the {LEVEL:.0%} interval over {many}users." if shown else ""


def over_seeds_caption(level: float = LEVEL) -> str:
    """What "±" is where a mean over seeds has both; users have their means over seeds.

    Args:
        level: of the interval.
    """
    return f"± behind a mean: standard deviation over seeds. {USERS}: half of the {level:.0%} interval over users."


def mean_cells(values: Sequence[float], interval: Interval | None) -> list[Cell]:
    """A mean over seeds in two cells: with its deviation over seeds, and half of its interval over users.

    Args:
        values: one a seed.
        interval: of users; None where it is not known.
    """
    return [spread(values), None if interval is None else interval.half]


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation of values, the mean alone of one."""
    return f"{fmean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def _ends(cell: Cell) -> list[Cell]:
    """A cell as mean, low and high."""
    return list(cell) if isinstance(cell, Interval) else [cell, None, None]


def _shown(cell: Cell) -> str:
    if isinstance(cell, Interval):
        return cell.text()
    if isinstance(cell, float):
        return f"{cell:.4f}"
    return "" if cell is None else str(cell)

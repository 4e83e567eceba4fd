"""One table for every place: the terminal, Markdown pages, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from tabulate import tabulate

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Rows under named columns; fractions are shown with four digits.

    Attributes:
        columns: their titles.
        rows: one cell a column; None stays empty.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def text(self) -> str:
        """For a terminal; the table of a run fits into 80 columns, so no digit is lost where nobody can widen it."""
        cells = [list(self.columns), *self._cells()]
        rules = ["-" * max(len(row[place]) for row in cells) for place in range(len(self.columns))]
        return tabulate([cells[0], rules, *cells[1:]], tablefmt="plain", disable_numparse=True, colalign=self._align())

    def markdown(self) -> str:
        """For a page, with a newline at the end."""
        return self._drawn("github") + "\n"

    def latex(self) -> str:
        """For a paper, with the rules of booktabs."""
        return self._drawn("latex_booktabs")

    def csv(self) -> str:
        """For programs: numbers with all their digits."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return out.getvalue()

    def _drawn(self, form: str) -> str:
        return tabulate(self._cells(), list(self.columns), tablefmt=form, disable_numparse=True, colalign=self._align())

    def _cells(self) -> list[list[str]]:
        return [[_shown(cell) for cell in row] for row in self.rows]

    def _align(self) -> list[str]:
        """Columns with a number are aligned to the right."""
        numeric = [any(isinstance(row[place], int | float) for row in self.rows) for place in range(len(self.columns))]
        return ["right" if number else "left" for number in numeric]


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation of values, the mean alone of one."""
    return f"{fmean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def _shown(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:.4f}"
    return "" if cell is None else str(cell)

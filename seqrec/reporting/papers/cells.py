"""The cells of a table with the runs that belong to them: means over seeds, differences, verdicts, what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from seqrec.reporting.papers.measured import is_tested, measured
from seqrec.reporting.papers.paired import all_below, gains, p_value
from seqrec.reporting.papers.published import Published, Row
from seqrec.runs.kept import Run

BEST, SECOND = "best", "second"


@dataclass(frozen=True)
class Cell:
    """A row of a table on one data set.

    Attributes:
        data: set.
        row: of the table.
        runs: that belong to it, one a seed, by their folders.
        missing: seeds without such a run.
        command: that makes the missing ones; empty where none is missing.
        older: the runs are known by their command alone, as no configuration is stored with them.
        other: what that command asked for that is not the cell's, such as a shorter training.
        failed: why a run that was begun has no result, by its seed.
    """

    data: str
    row: Row
    runs: Mapping[Path, Run]
    missing: Sequence[int]
    command: str
    older: bool
    other: Sequence[str]
    failed: Mapping[int, str]

    @property
    def marks(self) -> str:
        """† known by a command alone, § which asked for something else too, ‡ of code changed after its commit."""
        dirty = any(run.card.dirty for run in self.runs.values())
        return ("†" if self.older else "") + ("§" if self.other else "") + ("‡" if dirty else "")

    @property
    def hours(self) -> float | None:
        """Mean hours of one thread that a run took."""
        return fmean(run.hours for run in self.runs.values()) if self.runs else None

    def value(self, metric: str) -> float | None:
        """Mean over seeds, see :func:`~seqrec.reporting.papers.measured.measured`; None without a run that has it."""
        found = self._values(metric)
        return fmean(found) if found else None

    def deviation(self, metric: str) -> float | None:
        """Standard deviation over seeds; None with fewer than two."""
        found = self._values(metric)
        return stdev(found) if len(found) > 1 else None

    def _values(self, metric: str) -> list[float]:
        found = [measured(path, run, metric) for path, run in self.runs.items()]
        return [value for value in found if value is not None]


@dataclass(frozen=True)
class Verdict:
    """What a cell says of one printed value.

    Attributes:
        difference: ours less the printed one.
        relative: the same as a share of the printed one.
        words: ``pass``, or ``fail`` and on which side; ``not judged`` where the run was asked for something else too.
    """

    difference: float
    relative: float
    words: str


def verdict(cell: Cell, table: Published, metric: str, tolerance: float | None) -> Verdict | None:
    """Compare a cell with what is printed; None where either is not there.

    Args:
        cell: of the table.
        table: with the printed values.
        metric: name.
        tolerance: largest relative difference that passes.
    """
    ours, printed = cell.value(metric), table.value(cell.data, cell.row.name, metric)
    if ours is None or printed is None or tolerance is None:
        return None
    difference = ours - printed
    relative = difference / printed
    words = "pass" if abs(relative) <= tolerance else f"fail {'above' if difference > 0 else 'below'}"
    return Verdict(difference, relative, "not judged" if cell.other else words)


def ranked(cells: Sequence[Cell], metric: str) -> dict[str, str]:
    """The best and the second best row of one data set, as far as paired tests over users say so.

    The best is marked where it differs from each other row, the second where it differs from each row below it, at 5 %
    for the comparisons of a place together. Rows that are judged under another protocol than the most are left out.

    Args:
        cells: of one data set.
        metric: name.

    Returns:
        :data:`BEST` and :data:`SECOND` by the names of rows; nothing where a run has kept no ranks of users, or where
        it is no metric of all test users.
    """
    if not is_tested(metric):
        return {}
    protocols = [cell.row.protocol for cell in cells]
    common = max(protocols, key=protocols.count)
    compared = [cell for cell in cells if cell.row.protocol == common and cell.value(metric) is not None]
    users = {cell.row.name: gains(list(cell.runs), metric) for cell in compared}
    if len(compared) < 2 or any(table is None for table in users.values()):
        return {}
    known = {name: table for name, table in users.items() if table is not None}
    order = sorted(compared, key=lambda cell: -(cell.value(metric) or 0.0))
    found = {}
    for place, mark in enumerate((BEST, SECOND)):
        name, below = order[place].row.name, order[place + 1 :]
        if not all_below([p_value(known[name], known[cell.row.name]) for cell in below]):
            break  # without a best there is no second
        found[name] = mark
    return found

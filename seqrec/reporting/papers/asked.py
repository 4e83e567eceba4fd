"""What a table was asked for: which arguments make a cell, and the command that a person writes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from seqrec.reporting.papers.published import Published, Row

SMOKE = ("+debug=smoke", "trainer=cpu")
OF_CELLS = {
    "model": "the table has its rows",
    "seed": "write task.seeds=[0,1,2]",
    "resume": "runs are always continued",
}
"""What a command line may not give, and why."""


@dataclass(frozen=True)
class Asked:
    """Runs of the cells of a table.

    Attributes:
        table: with its data sets and rows.
        seeds: one run each.
        shared: arguments of all runs, such as ``trainer=gpu``.
        stand_in: data set that stands for all of the table in a trial of the whole way; None for the table's own.
    """

    table: Published
    seeds: Sequence[int]
    shared: tuple[str, ...] = ()
    stand_in: str | None = None

    def arguments(self, row: Row, data: str) -> tuple[str, ...]:
        """What makes the runs of a cell, but for their seed."""
        return (f"paper={self.table.paper}", *row.arguments, f"data={self.data_of(data)}", *self.shared)

    def data_of(self, data: str) -> str:
        """The data set that the runs of a cell learn."""
        return self.stand_in or data

    def command(self, row: Row, data: str, seeds: Sequence[int]) -> str:
        """What makes some runs of a cell, for a shell; empty for none."""
        several = ["-m"] if len(seeds) > 1 else []
        words = ["python", "main.py", *several, *self.arguments(row, data), f"seed={','.join(map(str, seeds))}"]
        return shlex.join(words) if seeds else ""


def asked_for(table: Published, given: Sequence[str], seeds: Sequence[int] | None, budget: str | None) -> Asked:
    """The cells of a table as a command line asks for them.

    Args:
        table: the part of it that is asked for.
        given: arguments of the command line beside those of the task.
        seeds: of the runs; None: those of the paper, in a trial one.
        budget: ``smoke``, or None for that of the paper.

    Raises:
        ValueError: an argument is one of the table's own, or there is no such budget.
    """
    keys = {_key(word).lstrip("+"): word for word in given}
    for key, advice in OF_CELLS.items():
        if key in keys:
            raise ValueError(f"{keys[key]}: {advice}; leave it out")
    shared = tuple(word for word in given if _key(word) not in ("paper", "data"))
    if budget is None:
        return Asked(table, list(seeds or table.seeds), shared)
    if budget != "smoke":
        raise ValueError(f"task.budget={budget}: it is smoke or null")
    return Asked(table.only(table.data[:1]), list(seeds or [0]), (*SMOKE, *table.trial, *shared), "synthetic")


def has_data(given: Sequence[str]) -> bool:
    """Whether a command line names a data set."""
    return any(_key(word) == "data" for word in given)


def _key(word: str) -> str:
    return word.partition("=")[0]

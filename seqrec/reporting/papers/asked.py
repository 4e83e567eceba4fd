"""What a table was asked for: which arguments make a cell, and the command that a person writes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seqrec.reporting.papers.published import Published, Row


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


def folder_of(table: Published, row: Row, data: str, identity: str) -> Path:
    """Where the runs of a cell lie below the folder of tables; other rows with the same configuration share them.

    Args:
        table: that the cell is of.
        row, data: of the cell.
        identity: hash of the configuration without the seed; another configuration has another folder.
    """
    return Path(table.paper) / data / f"{row.model}-{identity[:10]}"

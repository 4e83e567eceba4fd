"""What the steps between a file and its sequences leave out."""

from __future__ import annotations

import polars as pl

from seqrec.data.watched import ran

Dropped = dict[str, dict[str, int]]
"""Of each step that left something out, by its name: how many ``rows``, ``users`` and ``items``."""


def note(dropped: Dropped, step: str, before: pl.DataFrame, after: pl.DataFrame) -> None:
    """Write down the difference between two tables with columns ``user`` and ``item``, if there is one."""
    ran(step)
    if len(before) > len(after):
        lost = {f"{key}s": before[key].drop_nulls().n_unique() - after[key].n_unique() for key in ("user", "item")}
        dropped[step] = {"rows": len(before) - len(after)} | lost

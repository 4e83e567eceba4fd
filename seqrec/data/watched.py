"""What a preparation passes through that its sequences do not keep: noted for those who ask, else nothing is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

Order = np.ndarray[Any, np.dtype[np.int64]]


@dataclass
class Watched:
    """Of one preparation, by the code that reads and filters.

    Attributes:
        steps: names of the filters that ran, also of those that left nothing out, in their order.
        duplicates: rows of the table that repeat an earlier one in all fields, whether they were dropped or kept; None
            where no table was read.
        in_file_order: the log has no times, so that its rows stand for them.
        time: ``(nnz,)`` sort key of each interaction of the sequences; None where nothing was sorted.
    """

    steps: list[str] = field(default_factory=list)
    duplicates: int | None = None
    in_file_order: bool = False
    time: np.ndarray[Any, np.dtype[Any]] | None = None


_WATCHED: ContextVar[Watched | None] = ContextVar("watched", default=None)


@contextmanager
def watched() -> Iterator[Watched]:
    """Note what the preparation inside the ``with`` does."""
    found = Watched()
    token = _WATCHED.set(found)
    try:
        yield found
    finally:
        _WATCHED.reset(token)


def watching() -> Watched | None:
    """Where to note it; None where nobody asks."""
    return _WATCHED.get()


def ran(step: str) -> None:
    """A filter of this name ran."""
    if (asked := watching()) is not None and step not in asked.steps:
        asked.steps.append(step)


def table_read(repeat: pl.Series, in_file_order: bool) -> None:
    """A table was read: which rows repeat an earlier one, bool, empty where none does; whether it has no times."""
    if (asked := watching()) is not None:
        asked.duplicates, asked.in_file_order = int(repeat.sum()), in_file_order


def sorted_by(time: pl.Series, order: Order) -> Order:
    """``order`` itself: the interactions of the sequences are those rows ``(nnz,)`` of a table with these times."""
    if (asked := watching()) is not None and (time.dtype.is_numeric() or time.dtype.is_temporal()):
        asked.time = None if time.null_count() else time.to_physical().to_numpy()[order]
    return order

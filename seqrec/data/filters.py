"""Filters of a log: interactions by their rating and by their time, before those of users and items by their number."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from seqrec.data.dropped import Dropped, note
from seqrec.data.errors import DataError
from seqrec.data.readers.times import check_moment, moment


@dataclass(frozen=True)
class Filters:
    """Which rows of a log are kept; what is None filters nothing.

    Args:
        min_rating: least rating.
        first, last: of the period, both included: ISO dates (UTC, a date alone is its midnight), or numbers on the
            scale of the log's times.

    Raises:
        DataError: a date that is none.
    """

    min_rating: float | None = None
    first: float | str | None = None
    last: float | str | None = None

    def __post_init__(self) -> None:
        for name, at in (("first", self.first), ("last", self.last)):
            if at is not None:
                check_moment(f"data.{name}", at)

    def __bool__(self) -> bool:
        return self != Filters()

    def recipe(self) -> dict[str, Any]:
        """What filters, for a data set's own recipe; nothing in one without filters, whose cards stay as they were."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def columns(self, columns: dict[str, str | None], rating: str | None) -> dict[str, str | None]:
        """The columns to read: those of a log and, where it is needed, that of the ``rating``.

        Raises:
            DataError: there is none.
        """
        if self.min_rating is None:
            return columns
        if rating is None:
            raise DataError(f"data.min_rating={self.min_rating}: name the column of ratings in data.columns.rating")
        return {**columns, "rating": rating}

    def of(self, table: pl.DataFrame, source: Path, dropped: Dropped) -> pl.DataFrame:
        """The rows of ``user``, ``item``, ``time`` (and ``rating``) that are kept, in their order.

        Args:
            table: of a log.
            source: the file, for messages.
            dropped: takes what was left out.

        Raises:
            DataError: nothing is left.
        """
        rules: dict[str, pl.Expr] = {}
        if self.min_rating is not None:
            rules[f"rating below {self.min_rating:g}"] = pl.col("rating") >= self.min_rating
        newest: Any = table["time"].max()
        if self.first is not None:
            rules[f"before {self.first}"] = pl.col("time") >= moment(self.first, newest)
        if self.last is not None:
            rules[f"after {self.last}"] = pl.col("time") <= moment(self.last, newest)
        for name, rule in rules.items():
            kept = table.filter(rule)
            if kept.is_empty():
                raise DataError(f"{source}: no interaction is left of {len(table)}, each is {name}; keep more of them")
            note(dropped, name, table, kept)
            table = kept
        return table

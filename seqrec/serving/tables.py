"""Tables of histories to numbers, and lists of items to tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from seqrec.serving.recommend import Ids, Recommendations


def polars_frame(table: Any) -> pl.DataFrame:
    """A table of any library as one of polars."""
    if isinstance(table, pl.DataFrame):
        return table
    try:
        return pl.DataFrame(table)
    except (ImportError, TypeError, ValueError):  # pandas without pyarrow hands over its columns one by one
        values = {str(name): table[name].astype(object) for name in table.columns}
        return pl.DataFrame({name: column.where(column.notna(), None).tolist() for name, column in values.items()})


def like(table: Any, answer: pl.DataFrame) -> Any:
    """An answer as a table of the kind that was asked with; of polars for a library other than pandas."""
    if type(table).__module__.partition(".")[0] == "pandas":
        return type(table)({name: answer[name].to_list() for name in answer.columns})
    return answer


def nested_histories(table: pl.DataFrame, columns: Mapping[str, str | None]) -> pl.DataFrame:
    """A log or a nested table as ``user`` and ``items``, a list for each user, oldest first.

    Raises:
        ValueError: a column of users or items is not there.
    """
    names = {key: pl.col(str(columns.get(key))).alias(key) for key in ("user", "item")}
    for key in names:
        if columns.get(key) not in table.columns:
            raise ValueError(
                f"the table has no column {columns.get(key)!r} for {key}s, only {', '.join(map(repr, table.columns))}; "
                "name the columns with columns={'user': ..., 'item': ...}"
            )
    items = table.schema[str(columns["item"])]
    if isinstance(items, pl.Array):  # lists of the same length
        names["item"] = names["item"].arr.to_list()
    if items.is_nested():
        return table.select(names["user"], names["item"].alias("items"))
    time = columns.get("time")
    ordered = table.sort(time, maintain_order=True) if time in table.columns and time is not None else table
    lists = ordered.select(*names.values()).group_by("user", maintain_order=True).agg(items="item")
    first = table.select(names["user"]).unique(maintain_order=True)
    return first.join(lists, on="user", how="left", maintain_order="left", nulls_equal=True)


def ragged(items: pl.Series, ids: Ids) -> tuple[np.ndarray, np.ndarray]:
    """Lists ``(B,)`` of raw ids as numbers ``(N,)``, 0 where unknown, and where each list begins, ``(B + 1,)``."""
    lengths = items.list.len().fill_null(0).to_numpy().astype(np.int64)
    flat = items.explode(empty_as_null=False, keep_nulls=False)
    return numbers_of(flat, ids), np.concatenate([[0], lengths.cumsum()])


def numbers_of(flat: pl.Series, ids: Ids) -> np.ndarray:
    """Numbers ``(N,)`` of raw ids, 0 where unknown; a column of whole floats counts as one of whole numbers."""
    if flat.dtype.is_float():
        whole = flat.cast(pl.Int64, strict=False)
        flat = whole if (whole.cast(flat.dtype) == flat).fill_null(True).all() else flat
    distinct = flat.unique()
    known = pl.DataFrame({"id": distinct, "number": ids.numbers(distinct.to_list())})
    joined = flat.alias("id").to_frame().join(known, on="id", how="left", maintain_order="left", nulls_equal=True)
    return joined["number"].to_numpy()


def long_table(found: Recommendations, users: pl.Series) -> pl.DataFrame:
    """One line an item: ``user``, ``item``, ``score``, ``rank`` (from 1)."""
    row, place = found.numbers.nonzero()
    return pl.DataFrame(
        {
            "user": users.gather(row),
            "item": pl.Series(found.ids.raw).gather(found.numbers[row, place] - 1),
            "score": found.scores[row, place],
            "rank": (place + 1).astype(np.int32),
        }
    )


def nested_table(found: Recommendations, users: pl.Series) -> pl.DataFrame:
    """One line a user: ``user``, and the lists ``items`` and ``scores``."""
    row = pl.Series(np.arange(len(users)), dtype=pl.Int64)
    every = pl.DataFrame({"row": row, "user": users})
    long = long_table(found, row).rename({"user": "row"}).group_by("row").agg(items="item", scores="score")
    joined = every.join(long, on="row", how="left", maintain_order="left")
    return joined.select("user", pl.col("items", "scores").fill_null([]))

"""Ids of a table as numbers from 0, and the order of its rows by user and time."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch

Numbers = np.ndarray[Any, np.dtype[np.int32]]


def distinct(ids: pl.Series, first_seen: bool) -> pl.Series:
    """Each id once: in the order of their first rows, or sorted."""
    return ids.unique(maintain_order=True) if first_seen else ids.unique().sort()


def numbered(ids: pl.Series, known: pl.Series) -> Numbers:
    """The place of each id ``(nnz,)`` among the ``known`` ones, each of which stands there once."""
    if ids.dtype.is_integer() and not ids.null_count() and len(ids):
        least, most = int(known.min()), int(known.max())  # type: ignore[arg-type]
        if most - least < len(ids):  # a table of all ids is faster than hashing, and no larger than the result
            place = np.zeros(most - least + 1, dtype=np.int32)
            place[known.to_numpy() - least] = np.arange(len(known), dtype=np.int32)
            return np.concatenate([place[part.to_numpy() - least] for part in ids.get_chunks()])
    places = known.alias("id").to_frame().with_row_index("place")
    rows = ids.alias("id").to_frame().join(places, on="id", how="left", maintain_order="left", nulls_equal=True)
    return rows["place"].cast(pl.Int32).to_numpy(writable=True)


def by_user_and_time(user: Numbers, time: pl.Series) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The rows ``(nnz,)`` sorted by user, then by time; ties keep their order.

    Args:
        user: ``(nnz,)`` numbers of the users.
        time: ``(nnz,)`` of any type that compares.
    """
    if time.dtype not in (pl.Int64, pl.Float64) or time.null_count():
        time = time.rank("dense").fill_null(0).cast(pl.Int64)
    if time.is_sorted():
        return torch.argsort(torch.from_numpy(user), stable=True).numpy()
    in_time = torch.argsort(torch.from_numpy(time.to_numpy(writable=True)), stable=True).numpy()
    return in_time[torch.argsort(torch.from_numpy(user[in_time]), stable=True).numpy()]


def core(user: Numbers, item: Numbers, users: int, items: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which interactions ``(nnz,)`` are left when users and items with too few go, until none has.

    Args:
        user, item: ``(nnz,)`` their numbers.
        users: interactions a user needs.
        items: interactions an item needs.
    """
    kept = np.ones(len(user), dtype=np.bool_)
    while True:
        left = kept.copy()
        for who, least in ((user, users), (item, items)):
            left &= (counted(who[kept], int(who.max(initial=-1)) + 1) >= least)[who]
        if np.array_equal(left, kept):
            return kept
        kept = left


def counted(who: Numbers, size: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Rows of each number below ``size``; as ``numpy.bincount``, without a copy of the numbers in 64 bits."""
    return torch.bincount(torch.from_numpy(who), minlength=size).numpy()

"""What the order of item numbers tells: of popularity, of time, of what comes next."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from seqrec.data.checks.log import Array, Figures, Log

NEXT = 10
"""Numbers after the largest of a history that are tried as recommendations."""
_DEVIATIONS = 4.0  # of what chance does


def ids_of_the_file(log: Log) -> Array:
    """``(I,)`` rank 1..I of each item by its id in the file: as a number where all are, else as text."""
    ids = log.sequences.item_ids
    rank = np.empty(len(ids), dtype=np.int64)
    rank[ids.arg_sort().to_numpy()] = np.arange(1, len(ids) + 1)
    return rank


def numbers_of_models(log: Log, seed: int) -> Array:
    """``(I,)`` the number that a model sees of each item with this seed."""
    source_number = log.sequences.renumbered(seed).source_order.numpy()
    number = np.empty(len(source_number), dtype=np.int64)
    number[source_number - 1] = np.arange(1, len(number) + 1)
    return number[log.sequences.source_order.numpy() - 1]


def told(log: Log, number: Array) -> Figures:
    """What numbers ``(I,)`` of the items say.

    Returns:
        Rank correlations of the number with the item's ``popularity``, with the ``time`` at which it was first taken,
        None without times, and with its first place in the ``file``, user after user; ``next``: share of the test
        targets among the :data:`NEXT` numbers after the largest in their user's history, ``chance``: what numbers that
        say nothing would have there.
    """
    count = np.bincount(log.item, minlength=len(number))
    present = count > 0
    first_time = None if log.time is None else _least(log.item, log.time, len(number))
    first_place = _least(log.item, np.arange(len(log.item)), len(number))
    hits, chance = _next(log, number)
    return {
        "popularity": spearman(number[present], count[present]),
        "time": None if first_time is None else spearman(number[present], first_time[present]),
        "file": spearman(number[present], first_place[present]),
        "next": hits,
        "chance": chance,
    }


def beyond_chance(found: Figures, items: int, targets: int) -> Figures:
    """``order``, the largest rank correlation, and ``next``, hits above chance; 0 where chance would do as much."""
    largest = max(abs(found[key]) for key in ("popularity", "time", "file") if found[key] is not None)
    noise = _DEVIATIONS / max(1, items - 1) ** 0.5
    chance = found["chance"]
    spread = _DEVIATIONS * (chance * (1 - chance) / max(1, targets)) ** 0.5
    above = found["next"] - chance
    return {"order": largest if largest > noise else 0.0, "next": above if above > spread else 0.0}


def spearman(one: Array, other: Array) -> float:
    """Rank correlation, ties at their mean rank; 0 where one of both is constant."""
    ranks = [pl.Series(values).rank("average").to_numpy() for values in (one, other)]
    if len(one) < 2 or any(rank.min() == rank.max() for rank in ranks):
        return 0.0
    return float(np.corrcoef(np.stack(ranks))[0, 1])


def _least(item: Array, value: Array, items: int) -> Array:
    """``(items,)`` the least value of each item; 0 for those that do not occur."""
    least: np.ndarray[Any, np.dtype[Any]] = np.zeros(items, dtype=value.dtype)
    order = np.lexsort((value, item))
    first = np.flatnonzero(np.diff(item[order], prepend=-1))
    least[item[order][first]] = value[order][first]
    return least


def _next(log: Log, number: Array) -> tuple[float, float]:
    """Share of test targets that follow the largest number of their history, and what chance would do."""
    if not len(log.test):
        return 0.0, 0.0
    above = (len(number) + 1) * log.owner  # so that the largest so far begins anew with each user
    largest = np.maximum.accumulate(number[log.item] + above)[log.test - 1] - above[log.test]
    largest, target = np.maximum(largest, 0), number[log.item[log.test]]  # 0 without a history
    tried = np.minimum(NEXT, len(number) - largest)
    hits = (target > largest) & (target <= largest + NEXT)
    return float(hits.mean()), float(tried.mean() / len(number))

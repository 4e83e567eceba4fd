"""Checks that need times: ties, training on what came after a test, drift."""

from __future__ import annotations

import numpy as np

from seqrec.data.checks.log import Array, Figures, Log

BINS = 40
_UNITS = {"s": 10**8, "ms": 10**11, "us": 10**14, "ns": 10**17}  # since 1970; from 1973 on


def ties(log: Log, time: Array) -> Figures:
    """How far the order of interactions follows from their times.

    Returns:
        ``share`` of interactions that have the time of another one of their user, ``users`` (share) who have such, and
        the share of test and validation targets whose place among equal times is arbitrary: ``test``, ``validation``.
    """
    before = np.zeros(len(time), dtype=bool)  # has the time of the interaction before it
    before[1:] = (time[1:] == time[:-1]) & (log.owner[1:] == log.owner[:-1])
    tied = before.copy()
    tied[:-1] |= before[1:]
    return {
        "share": _mean(tied),
        "users": len(np.unique(log.owner[tied])) / max(1, log.sequences.num_users),
        "test": _mean(before[log.test]),
        "test_targets": int(before[log.test].sum()),
        "validation": _mean(tied[log.validation]),
    }


def overlap(log: Log, time: Array) -> Figures:
    """What a model learns of the time after a target under leave-one-out.

    Returns:
        ``future``: share of training interactions later than a test target, mean over the targets; ``targets``: share
        of targets older than some training interaction; ``after_first_test``: share of training interactions later than
        the earliest test target.
    """
    learned, asked = np.sort(time[log.training]), time[log.test]
    if not len(learned) or not len(asked):
        return {"future": 0.0, "targets": 0.0, "after_first_test": 0.0}
    later = 1 - np.searchsorted(learned, asked, side="right") / len(learned)
    return {
        "future": _mean(later),
        "targets": _mean(later > 0),
        "after_first_test": 1 - float(np.searchsorted(learned, asked.min(), side="right")) / len(learned),
    }


def drift(log: Log, time: Array) -> Figures:
    """How much what is taken changes with time.

    Returns:
        ``halves``: total variation distance between the items of the older and of the newer half of the interactions;
        ``random``: that of two halves drawn at random, which sampling alone makes; ``excess``: their difference;
        ``new``: share of the newest fifth whose items do not occur before it.
    """
    in_time = log.item[np.argsort(time, kind="stable")]
    half, fifth = len(in_time) // 2, len(in_time) - len(in_time) // 5
    drawn = np.random.default_rng(0).permutation(in_time)
    items = log.sequences.num_items
    halves, random = _distance(in_time, half, items), _distance(drawn, half, items)
    known = np.zeros(items, dtype=bool)
    known[in_time[:fifth]] = True
    return {"halves": halves, "random": random, "excess": halves - random, "new": _mean(~known[in_time[fifth:]])}


def events(log: Log, time: Array) -> Figures:
    """Interactions of each part by time, in :data:`BINS` equal spans; edges are dates where the times are."""
    edges = np.linspace(float(time.min()), float(time.max()), BINS + 1)
    parts = {"training": np.flatnonzero(log.training), "validation": log.validation, "test": log.test}
    counts = {name: np.histogram(time[places], edges)[0].tolist() for name, places in parts.items()}
    unit = next((unit for unit, least in reversed(_UNITS.items()) if time.min() >= least), None)
    if unit is None:
        return {"unit": None, "edges": edges.tolist(), **counts}
    return {
        "unit": unit,
        "edges": [str(edge) for edge in edges.astype("int64").astype(f"datetime64[{unit}]")],
        **counts,
    }


def _distance(items: Array, half: int, count: int) -> float:
    """Total variation distance between the shares of items before and from place ``half`` on."""
    older, newer = (np.bincount(part, minlength=count) / max(1, len(part)) for part in (items[:half], items[half:]))
    return float(np.abs(older - newer).sum() / 2)


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else 0.0

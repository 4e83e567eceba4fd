"""Lengths of histories and popularity of items, as distributions."""

from __future__ import annotations

import numpy as np

from seqrec.data.checks.log import Figures, Log

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
POINTS = 60


def lengths(log: Log, max_length: int) -> Figures:
    """How long histories are.

    Args:
        log: whose.
        max_length: newest items that a model sees.

    Returns:
        ``mean``, ``quantiles``, ``longer``: share of users with more than ``max_length``, ``padding``: share of padding
        among the training inputs of all users at that length, and a histogram of ``users`` between ``edges``: from each
        to below the next.
    """
    length = log.sequences.lengths.numpy()
    seen = np.clip(length - 3, 1, max_length)  # without both targets, and shifted by one
    edges = np.unique(np.geomspace(1, length.max(initial=1) + 1, POINTS // 2).round().astype(int))
    edges = edges if len(edges) > 1 else np.array([1, 2])
    return {
        "mean": float(length.mean()) if len(length) else 0.0,
        "quantiles": {f"{share:g}": float(np.quantile(length, share)) for share in QUANTILES} if len(length) else {},
        "max_length": max_length,
        "longer": float((length > max_length).mean()) if len(length) else 0.0,
        "padding": float(1 - seen.mean() / max_length) if len(length) else 0.0,
        "edges": edges.tolist(),
        "users": np.histogram(length, edges)[0].tolist(),
    }


def popularity(log: Log) -> Figures:
    """How uneven the items are.

    Returns:
        ``mean`` interactions an item, ``gini`` coefficient, ``top``: share of the interactions with the most popular
        tenth of the items, and the curve of ``counts`` at some ``ranks``.
    """
    count = np.sort(np.bincount(log.item, minlength=log.sequences.num_items))[::-1]
    total, items = max(1, int(count.sum())), max(1, len(count))
    ranks = np.unique(np.geomspace(1, items, POINTS).round().astype(int))
    ascending = count[::-1].cumsum() / total
    return {
        "mean": float(total / items),
        "gini": float((items + 1 - 2 * ascending.sum()) / items),
        "top": float(count[: max(1, items // 10)].sum() / total),
        "ranks": ranks.tolist(),
        "counts": count[ranks - 1].tolist() if len(count) else [],
    }

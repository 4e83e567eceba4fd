"""Repeats within a history, and targets that nothing was learned of."""

from __future__ import annotations

import numpy as np

from seqrec.data.checks.log import Array, Figures, Log


def repeated(log: Log) -> Array:
    """``(nnz,)`` which interactions are with an item that their user has had before."""
    pair = log.owner * log.sequences.num_items + log.item
    order = np.argsort(pair, kind="stable")
    again = np.zeros(len(pair), dtype=bool)
    again[order[1:]] = pair[order[1:]] == pair[order[:-1]]
    return again


def repeats(log: Log) -> Figures:
    """Interactions with an item that the user has had before.

    Returns:
        ``rows`` and their ``share``, ``users`` (share) who have one, ``in_a_row``: those right after the same item,
        ``same_moment``: those at the time of an earlier one, None without times, and ``test_targets``, which a protocol
        that ranks unseen items only cannot reach, with their share ``test``.
    """
    again, item, owner = repeated(log), log.item, log.owner
    in_a_row = (item[1:] == item[:-1]) & (owner[1:] == owner[:-1])
    same_moment = None
    if log.time is not None:
        order = np.lexsort((log.time, item, owner))
        who, what, when = owner[order], item[order], log.time[order]
        same_moment = int(((who[1:] == who[:-1]) & (what[1:] == what[:-1]) & (when[1:] == when[:-1])).sum())
    return {
        "rows": int(again.sum()),
        "share": float(again.mean()) if len(again) else 0.0,
        "users": len(np.unique(owner[again])) / max(1, log.sequences.num_users),
        "in_a_row": int(in_a_row.sum()),
        "same_moment": same_moment,
        "test_targets": int(again[log.test].sum()),
        "test": float(again[log.test].mean()) if len(log.test) else 0.0,
    }


def unseen(log: Log) -> Figures:
    """Items, and test and validation targets, without an interaction that is trained on."""
    never = log.training_count == 0
    test, validation = never[log.item[log.test]], never[log.item[log.validation]]
    return {
        "items": int(never.sum()),
        "test_targets": int(test.sum()),
        "test": float(test.mean()) if len(test) else 0.0,
        "validation_targets": int(validation.sum()),
    }

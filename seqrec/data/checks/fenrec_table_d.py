"""FENRec's Table D: how often the items of a history were taken, for histories of different lengths (its eq. 30)."""

from __future__ import annotations

import numpy as np

from seqrec.data.checks.log import Log

GROUPS = ((0, 8), (8, 20), (20, None))
"""Lengths: from, and below."""

READINGS = {
    "training counts, history before the test item": (2, 1),
    "training counts, training part": (2, 2),
    "training counts, whole sequence": (2, 0),
    "counts without the test items, history before the test item": (1, 1),
    "all counts, whole sequence": (0, 0),
}
"""What "the training data" and "the sequence" may mean: interactions at the end of each history that are not counted,
and that do not belong to the sequence. The first is the paper's."""


def interactions_per_item(log: Log, uncounted: int, left_out: int) -> list[float | None]:
    """Mean over users of the mean count of the items in their sequence, for each of :data:`GROUPS`.

    Args:
        log: whose.
        uncounted: interactions at the end of each history that are not counted.
        left_out: interactions at the end of each history that do not belong to the sequence, nor to its length.

    Returns:
        None where no sequence has such a length.
    """
    sequences = log.sequences
    from_end = sequences.offsets[1:].numpy()[log.owner] - np.arange(sequences.num_interactions)  # 1 is the last
    counted, within = from_end > uncounted, from_end > left_out
    count = np.bincount(log.item[counted], minlength=sequences.num_items)
    length = np.bincount(log.owner[within], minlength=sequences.num_users)
    total = np.bincount(log.owner[within], weights=count[log.item[within]], minlength=sequences.num_users)
    means: list[float | None] = []
    for least, below in GROUPS:
        chosen = (length >= max(1, least)) & (length < (below or np.inf))
        means.append(float((total[chosen] / length[chosen]).mean()) if chosen.any() else None)
    return means


def readings(log: Log) -> dict[str, list[float | None]]:
    """:func:`interactions_per_item` under each of :data:`READINGS`."""
    return {name: interactions_per_item(log, *reading) for name, reading in READINGS.items()}

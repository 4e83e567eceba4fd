"""Sequence files: one line a user, ``user item item ...``, oldest first, ids are positive integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import torch

from seqrec.data.dropped import Dropped, note
from seqrec.data.interactions import checked_k_core, core_name
from seqrec.data.readers.sequence_lines import read_sequence_lines
from seqrec.data.sequences import Sequences


def read_sequence_file(path: Path, min_user: int = 1, min_item: int = 1) -> Sequences:
    """Read ``user item item ...`` lines, plain or ``.gz``, blank- or tab-separated.

    Item ids are kept if they are ``1..I`` without gaps, else replaced by their rank. Users keep line order.

    Args:
        path: the file.
        min_user, min_item: k-core thresholds, off at 1.

    Returns:
        Sequences whose ids are the ranks of the file's ids: ``source_order`` is ``1..I``.

    Raises:
        DataError: empty, truncated or binary file; an id that is not a positive integer; a user on two lines
            or without items; nothing left by the k-core.
    """
    users, counts, items = read_sequence_lines(path)
    dropped: Dropped = {}
    if min_user > 1 or min_item > 1:
        frame = pl.DataFrame({"user": np.repeat(np.arange(len(users)), counts), "item": items})
        everything, frame = frame, checked_k_core(frame, min_user, min_item, path)
        note(dropped, core_name(min_user, min_item), everything, frame)
        counts = np.bincount(frame["user"].to_numpy(), minlength=len(users))
        users, counts = users[counts > 0], counts[counts > 0]
        items = frame["item"].to_numpy()
    item_ids, ranks = _ranked(items)
    return Sequences(
        items=torch.from_numpy(ranks),
        offsets=torch.from_numpy(np.concatenate([[0], counts.cumsum()])),
        user_ids=pl.Series("user", users),
        item_ids=pl.Series("item", item_ids),
        source_order=torch.arange(1, len(item_ids) + 1),
        dropped=dropped,
    )


def _ranked(items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ids in ascending order, and each item's rank among them, ``1..I``, int32."""
    top = int(items.max())
    if top > 10 * len(items):
        item_ids, rank = np.unique(items, return_inverse=True)
        return item_ids, (rank + 1).astype(np.int32)
    present = np.bincount(items, minlength=top + 1) > 0  # a table of all ids is faster than sorting
    return np.flatnonzero(present), present.cumsum(dtype=np.int32)[items]

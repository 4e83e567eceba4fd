"""The one batch type that everything passes around."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """A batch of B histories, padded on the right with 0 to the longest of them (L columns).

    Attributes:
        row: ``(B,)`` int64, number of the window; random draws are seeded by it.
        user: ``(B,)`` int64, user index, 0-based.
        items: ``(B, L)`` int64, history, oldest item first.
        target: ``(B,)`` int64, the item after the history.
        next_items: ``(B, L)`` int64, the item to predict at each position, 0 where nothing is learnt.
    """

    row: Tensor
    user: Tensor
    items: Tensor
    target: Tensor
    next_items: Tensor

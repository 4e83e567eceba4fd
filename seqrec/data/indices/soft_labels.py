"""Soft labels: the next items of each training window, weighted by how soon they come (FENRec, AAAI 2025, eq. 7)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from seqrec.data.windows import Windows

Labels = Callable[[Windows], tuple[Tensor, Tensor]]
"""Makes the label of each window: items ``(N, K)`` and their probabilities ``(N, K)``."""


def first_occurrence(windows: Windows) -> Tensor:
    """Where in ``sequences.items`` the target of each window first occurs in its user's history, ``(N,)``."""
    sequences = windows.sequences
    pair = sequences.owner * (sequences.num_items + 1) + sequences.items
    _, number = torch.unique(pair, return_inverse=True)
    first = torch.full_like(pair, len(pair))
    first.scatter_reduce_(0, number, torch.arange(len(pair)), "amin")
    return first[number[windows.stop]]


def end_of_window(windows: Windows) -> Tensor:
    """Where in ``sequences.items`` the target of each window is, ``(N,)``."""
    return windows.stop


def soft_labels(
    windows: Windows,
    gamma: float,
    num_items: int = 3,
    start: Callable[[Windows], Tensor] = first_occurrence,
) -> tuple[Tensor, Tensor]:
    """A distribution over the items that come after each window, for windows with one target each.

    In FENRec's released code the items are those from the *first* occurrence of the target in the user's training
    part on. For an item that occurs more than once, this need not be the place that the window ends at, which is what
    the paper prints (eq. 6). The last two items of a user are never part of a label.

    Args:
        windows: training windows, as :func:`seqrec.data.windows.prefixes` makes them.
        gamma: weight of an item relative to that of the one before it.
        num_items: k, items of a label.
        start: where the items of each label begin, :func:`first_occurrence` or :func:`end_of_window`.

    Returns:
        Items ``(N, k)`` int64, the target first, 0 beyond the training part, and their weights ``(N, k)``, which
        sum to 1 and are 0 there. An item may occur twice; its weight is then the sum.
    """
    if windows.all_positions:
        raise ValueError("soft labels need one target a window; choose windows=prefixes")
    sequences = windows.sequences
    place = start(windows)[:, None] + torch.arange(num_items)
    inside = place < sequences.training_end()[windows.user][:, None]
    items = sequences.items[torch.where(inside, place, 0)].long() * inside
    weights = gamma ** torch.arange(num_items, dtype=torch.float32) * inside
    return items, weights / weights.sum(1, keepdim=True)

"""The newest positions of right-padded histories, their mean, and more padding."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from seqrec.functional.constants import counting


def newest(states: Tensor, valid: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """The last ``window`` states of each history, newest first.

    Args:
        states: ``(B, L, D)``.
        valid: ``(B, L)`` bool, padding on the right.
        window: k.

    Returns:
        States ``(B, k, D)``, zero where the history is shorter, and ``(B, k)`` bool, True where it is not.
    """
    rows, length, dim = states.shape
    column = valid.sum(1, keepdim=True) - counting(1, window + 1, valid.device)
    present = column >= 0
    cell = column.clamp(min=0) + counting(0, rows, valid.device, length)[:, None]
    taken = states.reshape(-1, dim).index_select(0, cell.flatten()).view(rows, window, dim)
    return taken * present[..., None], present


def newest_mean(states: Tensor, valid: Tensor, window: int) -> Tensor:
    """Mean ``(B, D)`` of the last ``min(k, n)`` states of n (EASNRec eq. (9)); see :func:`newest`."""
    taken, present = newest(states, valid, window)
    return taken.sum(1) / present.sum(1, keepdim=True).clamp(min=1)


def printed_mean(states: Tensor, valid: Tensor, window: int) -> Tensor:
    """EASNRec eq. (9) as printed: the sum ``(B, D)`` of the last k positions over k, where padding counts as zero."""
    return newest(states, valid, window)[0].sum(1) / window


def widened(items: Tensor, width: int) -> Tensor:
    """Histories ``(B, L)`` padded to ``(B, width)``; themselves where they are as wide."""
    return items if items.shape[1] == width else F.pad(items, (0, width - items.shape[1]))

"""Right-padded histories as left-padded windows of a fixed width, the layout of several released codes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def left_padded(x: Tensor, valid: Tensor, width: int) -> Tensor:
    """Move what belongs to each history to the end of a window; all else is 0 (or False).

    Args:
        x: ``(B, L)``, a value for each position of right-padded histories.
        valid: ``(B, L)`` bool, True at items.
        width: W, of the windows.

    Returns:
        ``(B, W)``; the newest item is in the last column.

    Raises:
        ValueError: a history is longer than the window.
    """
    length = valid.sum(1, keepdim=True)
    longest = int(length.max()) if len(length) else 0
    if longest > width:
        raise ValueError(
            f"a history of {longest} items does not fit max_length={width}; keep its newest items or build the "
            "model with a larger max_length"
        )
    known = (x * valid)[:, :longest]
    place = torch.arange(width, device=x.device) - (width - length)  # below 0 at padding
    return F.pad(known, (0, 1)).gather(1, torch.where(place >= 0, place, longest))


def from_newest(valid: Tensor) -> Tensor:
    """Number ``(B, L)`` of each item of right-padded histories, 0 for the newest; 0 at padding too."""
    column = torch.arange(valid.shape[1], device=valid.device)
    return (valid.sum(1, keepdim=True) - 1 - column).clamp(min=0)

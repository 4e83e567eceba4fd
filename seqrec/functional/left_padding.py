"""Right-padded histories as left-padded windows of a fixed width, the layout of several released codes."""

from __future__ import annotations

import torch
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
    length = valid.sum(1)
    longest = int(length.max()) if len(length) and x.shape[1] > width else 0  # as many columns must hold it
    if longest > width:
        raise ValueError(
            f"a history of {longest} items does not fit max_length={width}; keep its newest items or build the "
            "model with a larger max_length"
        )
    return newest_columns(x, length, width)


def newest_columns(x: Tensor, length: Tensor, width: int) -> Tensor:
    """The last ``width`` of the first ``length`` ``(B,)`` columns of x ``(B, L)``, zeros on the left: ``(B, W)``."""
    column = torch.arange(width, device=x.device) - width + length[:, None]
    return x.gather(1, column.clamp(0, x.shape[1] - 1)) * (column >= 0)


def window(items: Tensor, width: int) -> Tensor:
    """The newest ``width`` items of right-padded histories ``(B, L)``, padded on the left: ``(B, W)``."""
    return newest_columns(items, (items != 0).sum(1), width)


def from_newest(valid: Tensor) -> Tensor:
    """Number ``(B, L)`` of each item of right-padded histories, 0 for the newest; 0 at padding too."""
    column = torch.arange(valid.shape[1], device=valid.device)
    return (valid.sum(1, keepdim=True) - 1 - column).clamp(min=0)

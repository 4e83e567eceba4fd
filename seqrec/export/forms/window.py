"""Whole windows inside a graph, for models whose arithmetic works on padding."""

from __future__ import annotations

import torch
from torch import Tensor


def whole(x: Tensor, valid: Tensor, padding: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Histories of any length as windows of a fixed number of columns.

    Args:
        x: ``(B, L, D)`` embedded items, with any values at padding.
        valid: ``(B, L)`` bool, True at items.
        padding: ``(D,)``, the vector of padding.
        width: W, columns of a window, at least L.

    Returns:
        ``(B, W, D)`` and validity ``(B, W)``, padding on the right.
    """
    rows = x.shape[0]
    x = torch.where(valid[..., None], x, padding)
    more = padding.expand(rows, width, -1)  # as many as there may be, so that no length is asked for
    none = torch.zeros(rows, width, dtype=torch.bool, device=x.device)
    return torch.cat([x, more], 1)[:, :width], torch.cat([valid, none], 1)[:, :width]

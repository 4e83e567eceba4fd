"""Packing: keep the valid positions of a padded batch in one row each, so that no work is done on padding."""

from __future__ import annotations

import torch
from torch import Tensor


class Packing:
    """The valid positions of a ``(B, L)`` batch, N of them.

    Args:
        valid: ``(B, L)`` bool, True at items, padding on the right.
    """

    def __init__(self, valid: Tensor) -> None:
        self.valid = valid
        self.index = torch.nonzero(valid.flatten()).flatten()
        self.full = len(self.index) == valid.numel()

    def pack(self, x: Tensor) -> Tensor:
        """``(B, L, ...)`` -> ``(N, ...)``."""
        flat = x.flatten(0, 1)
        return flat if self.full else flat.index_select(0, self.index)

    def unpack(self, x: Tensor) -> Tensor:
        """``(N, ...)`` -> ``(B, L, ...)``, zero at padding."""
        if not self.full:
            x = x.new_zeros(self.valid.numel(), *x.shape[1:]).index_copy(0, self.index, x)
        return x.unflatten(0, self.valid.shape)

"""DensePacking: all positions of a padded batch in the place of the valid ones, so that no shape depends on lengths."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from seqrec.nn.packing import RATIO, SHORT, Packing


class DensePacking(Packing):
    """All N = B * L positions of a ``(B, L)`` batch, in its order and in one group.

    Nothing is moved and nothing waits for the lengths, which a graph for other runtimes needs. Padding has values too,
    which mean nothing: whoever works on packed positions without asking for :attr:`valid` works on padding as well.

    Args:
        valid: ``(B, L)`` bool, True at items, padding on the right; no row is empty.
        ratio, short: of no effect, as there is one group.
    """

    def __init__(self, valid: Tensor, ratio: float = RATIO, short: int = SHORT) -> None:
        rows, width = valid.shape
        self.valid, self.full, self.groups = valid, True, [(rows, width)]
        self.order = torch.arange(rows, device=valid.device)
        self.index = torch.arange(rows * width, device=valid.device)
        self.newest = self.order * width + valid.sum(1) - 1

    def in_batch_order(self, x: Tensor) -> Tensor:
        """``(B, ...)``, unchanged."""
        return x

    def by_length(
        self, function: Callable[[Tensor, Tensor], Tensor], x: Tensor, most_pairs: int | None = None
    ) -> Tensor:
        """See :meth:`Packing.by_length`; all rows at a time, whatever ``most_pairs`` is."""
        return super().by_length(function, x)

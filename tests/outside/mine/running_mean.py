"""RunningMean: the state is the mean of all items so far."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqrec.backbones.base import Backbone


class RunningMean(Backbone):
    """A linear map of the mean of the items up to each position and of the item there.

    Args:
        num_items: I.
        dim: D.
        dropout: on the embedded items.
    """

    causal = True

    def __init__(self, num_items: int, dim: int, dropout: float = 0.0) -> None:
        super().__init__(num_items, dim)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * dim, dim)

    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        """States ``(B, L, D)``; padding is newer than all items, so no mean contains it."""
        x = self.dropout(x)
        count = torch.arange(1, x.shape[1] + 1, device=x.device)[:, None]
        states: Tensor = self.output(torch.cat([x.cumsum(1) / count, x], dim=2))
        return states

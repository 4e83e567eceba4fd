"""LossTrend: whether the last step made a loss fall faster than the steps before it (MAERec's reward)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LossTrend(nn.Module):
    """Losses since a start, of which three and their number are enough; they are part of the checkpoint.

    Args:
        low: the reward of a step that was no better than the average before it; of others it is 1.
    """

    kept: Tensor
    count: Tensor

    def __init__(self, low: float) -> None:
        super().__init__()
        self.low = low
        self.register_buffer("kept", torch.zeros(3))  # the first, the last but one, the last
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def append(self, loss: Tensor) -> None:
        """Add a loss, a scalar."""
        loss = loss.to(self.kept.dtype)
        first = torch.where(self.count == 0, loss, self.kept[0])
        self.kept.copy_(torch.stack([first, self.kept[2], loss]))
        self.count += 1

    def reward(self) -> Tensor:
        """1 for fewer than three losses; else 1 if the last fall was above the mean of the earlier ones, else low."""
        first, before, last = self.kept.unbind()
        mean_fall = (first - before) / (self.count - 2).clamp(min=1)
        return torch.where((self.count < 3) | (before - last > mean_fall), 1.0, self.low)

    def restart(self) -> None:
        """Forget all losses but the last."""
        self.kept[0] = self.kept[2]
        self.count.clamp_(max=1)

    def clear(self) -> None:
        """Forget all losses."""
        self.count.zero_()

"""Siamese networks: a state sequence to one short vector, the same map for real and generated sequences.

Source: EASNRec (see :mod:`seqrec.methods.easnrec.uncertainty`), eqs. (11)-(12) and Table 4; sizes D, D / 2, D / 4. Each
maps states ``(B, L, D)``, zero at padding, with ``valid`` ``(B, L)`` and a ``pool`` (eq. (9): a mean over the
newest positions, ``(B, L, C), (B, L)`` -> ``(B, C)``) to vectors ``(B, D / 4)``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seqrec.nn.attention import DotProductAttention
from seqrec.nn.packing import Packing, static_shapes
from seqrec.nn.trunk import TransformerLayer, initialise

Pool = Callable[[Tensor, Tensor], Tensor]


def two_branches(
    network: nn.Module, real: Tensor, generated: Callable[[], Tensor], valid: Tensor, pool: Pool
) -> list[Tensor]:
    """Vectors of real states ``(B, L, D)`` and of those that are ``generated``; on a GPU from one call."""
    if not static_shapes(valid):
        return [network(real, valid, pool), network(generated(), valid, pool)]
    both: Tensor = network(torch.cat([real, generated().to(real.dtype)]), valid.repeat(2, 1), pool)
    return list(both.chunk(2))


class FullyConnected(nn.Module):
    """Two layers on the pooled states, ``W_2 relu(W_1 x + b_1) + b_2`` (the paper's network)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, dim // 2)
        self.fc2 = nn.Linear(dim // 2, dim // 4)
        self.apply(initialise)

    def forward(self, states: Tensor, valid: Tensor, pool: Pool) -> Tensor:
        """``(B, L, D)`` -> ``(B, D / 4)``."""
        vector: Tensor = self.fc2(torch.relu(self.fc1(pool(states, valid))))
        return vector


class Convolution(nn.Module):
    """Two convolutions of width 3 over time, then the pool."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(dim, dim // 2, 3, padding=1)
        self.conv2 = nn.Conv1d(dim // 2, dim // 4, 3, padding=1)

    def forward(self, states: Tensor, valid: Tensor, pool: Pool) -> Tensor:
        """``(B, L, D)`` -> ``(B, D / 4)``."""
        inner = torch.relu(self.conv1(states.transpose(1, 2)))  # (B, D / 2, L)
        inner = inner * valid[:, None]  # a bias at padding would reach the newest item
        return pool(self.conv2(inner).transpose(1, 2), valid)


class Attention(nn.Module):
    """One bidirectional Transformer layer, a linear map, then the pool."""

    def __init__(self, dim: int, num_heads: int, ffn_dim: int, dropout: float) -> None:
        super().__init__()
        attention = DotProductAttention(dim, num_heads, dropout, causal=False)
        self.layer = TransformerLayer(dim, ffn_dim, dropout, 1e-12, attention)
        self.output = nn.Linear(dim, dim // 4)
        self.apply(initialise)

    def forward(self, states: Tensor, valid: Tensor, pool: Pool) -> Tensor:
        """``(B, L, D)`` -> ``(B, D / 4)``."""
        packing = Packing.of(valid)
        return pool(packing.unpack(self.output(self.layer(packing.pack(states), packing))), valid)


class Recurrent(nn.Module):
    """One LSTM layer; its state at the newest item, so there is nothing to pool."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dim, dim // 4, batch_first=True)

    def forward(self, states: Tensor, valid: Tensor, pool: Pool) -> Tensor:
        """``(B, L, D)`` -> ``(B, D / 4)``."""
        outputs, _ = self.lstm(states)
        newest: Tensor = outputs[torch.arange(len(valid), device=valid.device), valid.sum(1) - 1]
        return newest

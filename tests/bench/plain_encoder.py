"""The Transformer of the plain forms, over windows padded on the left; what else they share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HIDDEN_KEY = -10000.0


class Layer(nn.Module):
    """A Transformer layer with post-norm, or with pre-norm and dropout at its end."""

    def __init__(self, dim: int, heads: int, ffn_dim: int, dropout: float, pre_norm: bool) -> None:
        super().__init__()
        self.heads, self.pre_norm = heads, pre_norm
        self.query, self.key, self.value, self.output = (nn.Linear(dim, dim) for _ in range(4))
        self.ffn_in, self.ffn_out = nn.Linear(dim, ffn_dim), nn.Linear(ffn_dim, dim)
        self.first_norm, self.second_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def attend(self, x: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (
            linear(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for linear in (self.query, self.key, self.value)
        )
        weights = torch.softmax(query @ key.transpose(2, 3) / query.shape[3] ** 0.5 + mask, dim=3)
        return self.dropout(self.output((self.dropout(weights) @ value).transpose(1, 2).flatten(2)))

    def feed(self, x: Tensor) -> Tensor:
        return self.dropout(self.ffn_out(F.gelu(self.ffn_in(x))))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        if self.pre_norm:
            x = x + self.attend(self.first_norm(x), mask)
            return self.dropout(x + self.feed(self.second_norm(x)))
        x = self.first_norm(x + self.attend(x, mask))
        return self.second_norm(x + self.feed(x))


class Encoder(nn.Module):
    """States of all W positions of left-padded windows."""

    def __init__(
        self, rows: int, width: int, dim: int, layers: int, heads: int, ffn_dim: int, dropout: float,
        causal: bool = True, pre_norm: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.items, self.positions = nn.Embedding(rows, dim, padding_idx=0), nn.Embedding(width, dim)
        self.layers = nn.ModuleList(Layer(dim, heads, ffn_dim, dropout, pre_norm) for _ in range(layers))
        self.norm, self.dropout = nn.Identity() if pre_norm else nn.LayerNorm(dim), nn.Dropout(dropout)
        self.causal = causal
        for table in (self.items, self.positions):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, windows: Tensor) -> Tensor:
        return self.encode(self.items(windows), windows != 0)

    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        seen = valid[:, None, None, :]
        if self.causal:
            seen = seen & torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
        mask = (~seen).float() * HIDDEN_KEY
        x = self.dropout(self.norm(x + self.positions.weight))
        for layer in self.layers:
            x = layer(x, mask)
        return x


def padded(history: Sequence[int], width: int) -> list[int]:
    """The newest ``width`` items, zeros on the left."""
    return [0] * (width - len(history)) + list(history)[-width:]


def info_nce(first: Tensor, second: Tensor) -> Tensor:
    """Cross entropy of ``(B, X)`` vectors against those of the other view, among all others of both."""
    b = len(first)
    itself = torch.eye(b, dtype=torch.bool)
    cross, own, other = first @ second.T, first @ first.T, second @ second.T
    own, other = own.masked_fill(itself, -torch.inf), other.masked_fill(itself, -torch.inf)
    logits = torch.cat([torch.cat([cross, own], 1), torch.cat([cross.T, other], 1)])
    return F.cross_entropy(logits, torch.arange(b).repeat(2))

"""Attention scores between all pairs of three sources, items, attributes and positions, and their fusion by a gate.

Shapes: B histories, Q queries, W columns of keys, H heads, N positions of a full window, D and E widths of items and
attributes. The last column of keys represents itself and all columns to its right up to N, which are equal to it.

Source: Lin et al., Multi-Sequence Attentive User Representation Learning, WSDM 2024 (MSSR), as released.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.nn.dropout import Dropout, dropout

NORM_EPS = 1e-12


class Sources(NamedTuple):
    """What scores are made from: items ``(B, Q, D)``, attributes ``(B, Q, E)``, positions ``(B, Q)`` 0..N-1."""

    items: Tensor
    attributes: Tensor
    positions: Tensor

    def at(self, column: Tensor) -> Sources:
        """Those of one column ``(B,)`` a history."""
        row = torch.arange(column.shape[0], device=column.device)
        return Sources(*(x[row, column][:, None] for x in self))


class PairScores(nn.Module):
    """Unscaled scores of each source of queries with each source of keys, and the gate that fuses them.

    Args:
        dim: D.
        attribute_dim: E.
        num_heads: H.
        max_length: N; the gate's first layer sees the scores of a query with all N columns, real or not.
    """

    def __init__(self, dim: int, attribute_dim: int, num_heads: int, max_length: int) -> None:
        super().__init__()
        for name, width in (("dim", dim), ("attribute_dim", attribute_dim)):
            if width % num_heads:
                raise ValueError(f"{name} is {width}, which {num_heads} heads do not divide; choose a multiple")
        self.num_heads, self.widths = num_heads, (dim, attribute_dim)
        self.item_queries = nn.Linear(dim, dim + attribute_dim)  # for keys of items and positions; of attributes
        self.attribute_queries = nn.Linear(attribute_dim, 2 * dim + attribute_dim)  # of items; attributes; positions
        self.position_queries = nn.Linear(dim, dim + attribute_dim)  # of items and positions; of attributes
        self.item_key = nn.Linear(dim, dim)
        self.attribute_key = nn.Linear(attribute_dim, attribute_dim)
        self.position_key = nn.Linear(dim, dim)
        self.gate = nn.Linear(max_length, max_length)
        self.energy = nn.Linear(max_length, 1, bias=False)  # a bias would cancel in the softmax

    def forward(self, queries: Sources, keys: Sources, table: Tensor) -> Tensor:
        """Scores ``(B, H, 3, 3, Q, W)`` by source of query and of key; the table ``(N, D)`` has the positions' vectors.

        Queries and keys of a position do not depend on the history, so they are computed once from the table.
        """
        dim, attribute_dim = self.widths
        item, item_to_attribute = self.item_queries(queries.items).split((dim, attribute_dim), -1)
        to_item, attribute, to_position = self.attribute_queries(queries.attributes).split(
            (dim, attribute_dim, dim), -1
        )
        position, position_to_attribute = F.embedding(queries.positions, self.position_queries(table)).split(
            (dim, attribute_dim), -1
        )
        pairs = (
            ((item, to_item, position), self.item_key(keys.items)),
            ((item_to_attribute, attribute, position_to_attribute), self.attribute_key(keys.attributes)),
            ((item, to_position, position), F.embedding(keys.positions, self.position_key(table))),
        )
        products = []
        for some, key in pairs:
            query = torch.stack([self._by_head(x) for x in some], 2)  # (B, H, 3, Q, D / H)
            product = query.flatten(2, 3) @ self._by_head(key).transpose(-1, -2)
            products.append(product.unflatten(2, query.shape[2:4]))
        return torch.stack(products, 3)

    def fuse(self, scores: Tensor, weight: Tensor) -> Tensor:
        """Sum of the weighted scores, each times its weight in a softmax over pairs.

        Args:
            scores: ``(B, H, S, T, Q, W)`` of pairs.
            weight: ``(S, T)`` of each pair.

        Returns:
            ``(B, H, Q, W)``.
        """
        scores = scores.flatten(2, 3) * weight.flatten()[:, None, None]
        hidden = torch.relu(F.linear(scores, self._mixing(scores.shape[-1]), self.gate.bias))  # (B, H, S * T, Q, N)
        weights = torch.softmax(self.energy(hidden)[..., 0], dim=2)
        return torch.einsum("bhsq,bhsqw->bhqw", weights, scores)

    def _by_head(self, x: Tensor) -> Tensor:
        """``(B, Q, D)`` -> ``(B, H, Q, D / H)``."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def _mixing(self, columns: int) -> Tensor:
        """W_1 ``(N, W)`` on windows whose last column represents the others."""
        weight = self.gate.weight
        return torch.cat([weight[:, : columns - 1], weight[:, columns - 1 :].sum(1, keepdim=True)], dim=1)


class ScoredBlock(nn.Module):
    """The rest of a post-norm layer: values by given scores, then a feed-forward net.

    Args:
        dim: width of the stream.
        num_heads, ffn_dim: sizes.
        scale: the scores are multiplied by it.
        dropout, attention_dropout: after each part, and on the weights.
    """

    def __init__(
        self, dim: int, num_heads: int, ffn_dim: int, scale: float, dropout: float, attention_dropout: float
    ) -> None:
        super().__init__()
        self.num_heads, self.scale, self.attention_dropout = num_heads, scale, attention_dropout
        self.value = nn.Linear(dim, dim)
        self.output = nn.Linear(dim, dim)
        self.attention_norm = nn.LayerNorm(dim, NORM_EPS)
        self.ffn_in = nn.Linear(dim, ffn_dim)
        self.ffn_out = nn.Linear(ffn_dim, dim)
        self.ffn_norm = nn.LayerNorm(dim, NORM_EPS)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, keys: Tensor, scores: Tensor, mask: Tensor) -> Tensor:
        """``(B, Q, D)`` -> ``(B, Q, D)``; keys are ``(B, W, D)``, scores ``(B, H, Q, W)``, the mask is additive."""
        weights = torch.softmax(scores * self.scale + mask, dim=-1)
        weights = dropout(weights, self.attention_dropout, self.training)
        value = self.value(keys).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        context = (weights @ value).transpose(1, 2).flatten(2)
        x = self.attention_norm(x + self.dropout(self.output(context)))
        refined: Tensor = self.ffn_norm(x + self.dropout(self.ffn_out(F.gelu(self.ffn_in(x)))))
        return refined

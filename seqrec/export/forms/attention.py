"""Attention with its maps arranged for a graph.

Heads need no cutting and joining, and scale and signs are in the weights. Where the newest items alone ask, keys and
values are not even made: a query goes through the keys' map backwards and looks at the tokens themselves, and what it
reads there goes through the values' map. The exporter guards its own attention against queries without a key, whose
weights would be NaN; there are none here, since a query sees itself, or a history that has an item.

Shapes: H heads, E = D / H entries of a value, E' of a key. A map holds weights and, in its last column, biases.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.methods.easnrec.uncertainty import UncertaintyAttention
from seqrec.nn.attention import DotProductAttention, SelfAttention
from seqrec.nn.packing import Packing


class Arranged(SelfAttention):
    """What both forms share.

    Attributes:
        num_heads: H.
        causal: a query sees itself and what is older.
        query, key: maps ``(H * E', D + 1)``.
        value: map ``(D, D + 1)``.
        look: map ``(H * D, D + 1)``, from the newest token to what each head multiplies tokens with.
    """

    num_heads: int
    causal: bool
    query: Tensor
    key: Tensor
    value: Tensor
    look: Tensor

    def arrange(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        """Keep the maps, ``(H, E' or E, D + 1)``."""
        query, key, value = (map_.detach() for map_ in (query, key, value))
        # (W_q x + b_q) (W_k y + b_k) without the bias of the key, which adds the same to the scores of all keys.
        look = torch.einsum("hed,hef->hdf", key[..., :-1].double(), query.double()).to(query.dtype)
        for name, map_ in {"query": query, "key": key, "value": value, "look": look}.items():
            self.register_buffer(name, map_.flatten(0, 1).contiguous())

    def forward(self, tokens: Tensor, packing: Packing, newest: bool = False) -> Tensor:
        """See :meth:`SelfAttention.forward`; packings are dense."""
        return self._of_newest(tokens, packing) if newest else self._of_all(tokens, packing)

    def _of_all(self, tokens: Tensor, packing: Packing) -> Tensor:
        rows, width = packing.valid.shape
        query, key, value = (
            mapped(map_, tokens).view(rows, width, self.num_heads, -1) for map_ in (self.query, self.key, self.value)
        )
        allowed = older_or_same(packing.valid) if self.causal else packing.valid[:, None, None]
        weights = shares(query.transpose(1, 2) @ key.permute(0, 2, 3, 1), allowed)  # (B, H, L, L)
        return (weights @ value.transpose(1, 2)).transpose(1, 2).reshape(-1, self.value.shape[0])

    def _of_newest(self, tokens: Tensor, packing: Packing) -> Tensor:
        rows, width = packing.valid.shape
        x = tokens.view(rows, width, -1)
        look = mapped(self.look, tokens[packing.newest]).view(rows, self.num_heads, -1)
        weights = shares(look @ x.transpose(1, 2), packing.valid[:, None])  # (B, H, L)
        read = (weights @ x).unbind(1)
        return torch.cat([mapped(*head) for head in zip(self.value.chunk(self.num_heads), read, strict=True)], -1)


class DotProduct(DotProductAttention, Arranged):
    """See :class:`~seqrec.nn.attention.DotProductAttention`."""

    forward = Arranged.forward

    def make_constants(self, max_length: int) -> None:
        """Arrange the maps."""
        query, key, value = maps(self, 3)
        self.arrange(query * query.shape[1] ** -0.5, key, value)


class Uncertainty(UncertaintyAttention, Arranged):
    """See :class:`~seqrec.methods.easnrec.uncertainty.UncertaintyAttention`; without noise, as in evaluation.

    ``(Q, -Q_p) (K, K_p)^T`` is the penalised score.
    """

    forward = Arranged.forward

    def make_constants(self, max_length: int) -> None:
        """Arrange the maps."""
        query, key, value, penalty_query, penalty_key = maps(self, 5)
        scale = query.shape[1] ** -0.5
        self.arrange(torch.cat([query, -penalty_query], 1) * scale, torch.cat([key, penalty_key], 1), 2.0 * value)


def maps(attention: DotProductAttention | UncertaintyAttention, count: int) -> Tensor:
    """The maps of an attention, ``(count, H, E, D + 1)``."""
    projection = attention.projection
    joined = torch.cat([projection.weight, projection.bias[:, None]], 1)
    return joined.unflatten(0, (count, attention.num_heads, -1))


def mapped(map_: Tensor, x: Tensor) -> Tensor:
    """``(N, D)`` -> ``(N, M)`` of a map ``(M, D + 1)``."""
    return F.linear(x, map_[:, :-1], map_[:, -1])


def shares(scores: Tensor, allowed: Tensor) -> Tensor:
    """Weights of keys, 0 where ``allowed`` is False."""
    return torch.softmax(scores + torch.where(allowed, 0.0, -torch.inf), dim=-1)


def older_or_same(rows: Tensor) -> Tensor:
    """Which keys ``(L, L)`` a causal query sees, of rows ``(B, L)``."""
    place = torch.arange(rows.shape[1], device=rows.device)
    return place <= place[:, None]

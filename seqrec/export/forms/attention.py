"""Attention as two products and a softmax.

The exporter guards its fused attention against queries without a key, whose weights would be NaN. There are none here:
a query sees itself, or a history that has an item.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seqrec.methods.easnrec.uncertainty import UncertaintyAttention
from seqrec.nn.attention import DotProductAttention


class DotProduct(DotProductAttention):
    """See :class:`~seqrec.nn.attention.DotProductAttention`."""

    def _context(self, query: Tensor, key: Tensor, value: Tensor, valid: Tensor, causal: bool) -> Tensor:
        allowed = older_or_same(valid) if causal else valid[:, None, None, :]
        return attend(query, key, value, allowed, query.shape[-1] ** -0.5)


class Uncertainty(UncertaintyAttention):
    """See :class:`~seqrec.methods.easnrec.uncertainty.UncertaintyAttention`; without noise, as in evaluation."""

    def _doubled(
        self, query: Tensor, key: Tensor, value: Tensor, penalty_query: Tensor, penalty_key: Tensor, mask: Tensor | None
    ) -> Tensor:
        allowed = older_or_same(query[:, 0, :, 0]) if mask is None else mask
        asking, keys = torch.cat([query, -penalty_query], -1), torch.cat([key, penalty_key], -1)
        return 2.0 * attend(asking, keys, value, allowed, query.shape[-1] ** -0.5)


def older_or_same(rows: Tensor) -> Tensor:
    """Which keys ``(L, L)`` a causal query sees, of rows ``(B, L)``."""
    place = torch.arange(rows.shape[1], device=rows.device)
    return place <= place[:, None]


def attend(query: Tensor, key: Tensor, value: Tensor, allowed: Tensor, scale: float) -> Tensor:
    """Weighted values ``(B, H, Q, E)`` of ``(B, H, Q, E')``, ``(B, H, L, E')`` and ``(B, H, L, E)``.

    Keys have weight 0 where ``allowed``, which broadcasts to ``(B, H, Q, L)``, is False.
    """
    bias = torch.where(allowed, 0.0, -torch.inf)
    return torch.softmax((query * scale) @ key.transpose(-1, -2) + bias, dim=-1) @ value

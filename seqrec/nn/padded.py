"""States of whole left-padded windows, padding included, from the parameters of a TransformerTrunk.

S3-Rec's code base, and with it ICLRec and CoSeRec, encodes padding like an item and puts its states into the
losses. A window has W positions, the newest item in the last one.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from seqrec.nn.attention import DotProductAttention
from seqrec.nn.dropout import dropout
from seqrec.nn.frequency import window_mask
from seqrec.nn.trunk import TransformerLayer, TransformerTrunk

HIDDEN = -1  # an item of a right-padded history that becomes padding where it stands
CHUNK_ELEMENTS = 1 << 23  # attention weights made at a time: 32 MB


def window(items: Tensor, size: int) -> Tensor:
    """The newest ``size`` items of right-padded histories ``(B, L)``, padded on the left: ``(B, W)``.

    A :data:`HIDDEN` item counts as an item for the places and is 0 in the result.
    """
    return newest_columns(items, (items != 0).sum(1), size).clamp(min=0)


def newest_columns(x: Tensor, length: Tensor, size: int) -> Tensor:
    """The last ``size`` of the first ``length`` ``(B,)`` columns of x ``(B, L)``, zeros on the left: ``(B, W)``."""
    column = torch.arange(size, device=x.device) - size + length[:, None]
    return x.gather(1, column.clamp(0, x.shape[1] - 1)) * (column >= 0)


def padded_states(trunk: TransformerTrunk, x: Tensor, valid: Tensor) -> Tensor:
    """States ``(B, W, D)`` of all positions of windows.

    An item sees the items up to itself. A position before the first item has no key that it may see; its scores
    are all lowered alike, so it sees all W positions, newer items too.

    Args:
        trunk: causal, with dot-product attention and no memory; W is its ``max_length``.
        x: ``(B, W, D)``, embedded items and padding.
        valid: ``(B, W)`` bool, False at padding and hidden items.
    """
    tokens: Tensor = trunk.dropout(trunk.norm(x + trunk.position.weight))
    for layer in cast("list[TransformerLayer]", list(trunk.layers)):
        attention = cast(DotProductAttention, layer.attention)
        rows = max(1, CHUNK_ELEMENTS // (attention.num_heads * x.shape[1] ** 2))
        parts = zip(attention.projection(tokens).split(rows), valid.split(rows), strict=True)
        tokens = layer.refine(tokens, torch.cat([_context(attention, part, seen) for part, seen in parts]))
    return tokens


def _context(attention: DotProductAttention, projected: Tensor, valid: Tensor) -> Tensor:
    """Weighted values ``(B, W, D)`` of queries, keys and values ``(B, W, 3 * D)``."""
    query, key, value = projected.unflatten(-1, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4)  # (B, H, W, D / H)
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    weights = torch.softmax(scores.float() + window_mask(valid), dim=-1)
    weights = dropout(weights, attention.dropout, attention.training).to(value.dtype)
    return (weights @ value).transpose(1, 2).flatten(2)

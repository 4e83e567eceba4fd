"""What a Transformer makes of rows padded on the left, padding included."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.nn.attention import DotProductAttention
from seqrec.nn.trunk import TransformerLayer, TransformerTrunk


def left_padded_states(trunk: TransformerTrunk, x: Tensor, valid: Tensor) -> Tensor:
    """States ``(B, L, D)`` without dropout, as released code of the S3-Rec family computes them.

    It takes 10000 from the scores of keys that are padding or newer than the query. For an item this hides them. For
    a query at padding it hides nothing, since all its keys lose the same: such a state is a mixture of the whole row.

    Args:
        trunk: causal, with dot-product attention.
        x: ``(B, L, D)`` embedded rows, L = ``trunk.max_length``, so that a column is its position.
        valid: ``(B, L)`` True at items.
    """
    column = torch.arange(x.shape[1], device=x.device)
    older = valid[:, None, :] & (column <= column[:, None])
    mask = (older | ~valid[:, :, None])[:, None]  # (B, 1, L, L)
    tokens: Tensor = trunk.norm(x + trunk.position.weight)
    for layer in cast("list[TransformerLayer]", list(trunk.layers)):
        attention = layer.attention
        assert isinstance(attention, DotProductAttention)
        heads = attention.projection(tokens).unflatten(-1, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = heads  # (B, H, L, D / H)
        context = F.scaled_dot_product_attention(query, key, value, mask)
        tokens = layer.refine(tokens, context.transpose(1, 2).flatten(2))
    return tokens

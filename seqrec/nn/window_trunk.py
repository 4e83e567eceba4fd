"""A :class:`TransformerTrunk` on whole left-padded windows, whose padding has states too.

The released codes of ECL-SR, ELECRec and the S3-Rec family (ICLRec, CoSeRec, MVS) do not exclude keys from attention
but add -10000 to their scores. Where a query has at least one key to attend to, the others get weight 0, and its state
is the same as without padding. A query of padding has none: all its scores are lowered alike, so it attends to the
whole window, with scores rounded to float32 at that magnitude. Those states enter the losses of these codes, so they
are computed here, in the same arithmetic.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.nn.attention import DotProductAttention
from seqrec.nn.dropout import dropout
from seqrec.nn.packing import Packing
from seqrec.nn.trunk import TransformerLayer, TransformerTrunk
from seqrec.nn.window_mask import MASKED, window_mask

POSITIONS = 6400  # go through the layers together on the CPU, few enough to stay in its cache


def window_states(trunk: TransformerTrunk, x: Tensor, valid: Tensor, wanted: Tensor | None = None) -> Tensor:
    """States ``(B, W, D)`` of the positions of windows; the last column has the trunk's last position.

    Hidden keys have weight 0 for a query that sees an item. So where the first wanted position of a window is not
    before its first visible item, the columns before that item change nothing and are left out.

    Args:
        trunk: one that :func:`check_plain` accepts.
        x: ``(B, W, D)`` embedded items and padding, W is the trunk's ``max_length``.
        valid: ``(B, W)`` bool, the keys that may be seen; False at padding, wherever it is.
        wanted: ``(B, W)`` bool, where the states are needed; elsewhere the result means nothing. None: everywhere.
    """
    width = x.shape[1]
    if wanted is None:
        start = torch.zeros(x.shape[0], dtype=torch.int64, device=x.device)
    else:
        seen, asked = _first(valid), _first(wanted)
        start = torch.where(asked < seen, 0, seen.clamp(max=width - 1))
    # Packing sorts windows by what is left of them, into groups; it pads on the right, while windows begin with what is
    # left out, so it is only asked for the order and the groups.
    packing = Packing.of(torch.arange(width, device=x.device) < width - start[:, None])
    in_order = (x, valid) if packing.full else (x.index_select(0, packing.order), valid[packing.order])
    parts, row = [], 0
    for rows, columns in packing.groups:
        step = rows if x.is_cuda else max(1, POSITIONS // columns)
        group = zip(*(some[row : row + rows].split(step) for some in in_order), strict=True)
        for tokens, visible in group:
            made = _states(trunk, tokens[:, -columns:], visible[:, -columns:])
            parts.append(F.pad(made, (0, 0, width - columns, 0)))
        row += rows
    states = torch.cat(parts)
    return states if packing.full else packing.in_batch_order(states)


def _first(chosen: Tensor) -> Tensor:
    """Column ``(B,)`` of the first True of each row of ``(B, W)``, W where there is none."""
    return torch.where(chosen.any(1), chosen.int().argmax(1), chosen.shape[1])


def _states(trunk: TransformerTrunk, x: Tensor, valid: Tensor) -> Tensor:
    """See :func:`window_states`."""
    tokens: Tensor = trunk.dropout(trunk.norm(x + trunk.position.weight[-x.shape[1] :]))
    for layer in cast("list[TransformerLayer]", list(trunk.layers)):
        attention = cast(DotProductAttention, layer.attention)
        context = _context(attention, attention.projection(tokens), valid, trunk.causal)
        tokens = layer.refine(tokens, context)
    return tokens


def check_plain(*trunks: TransformerTrunk) -> None:
    """Refuse trunks that have no form in which padding takes part.

    Raises:
        ValueError: other attention than dot products, a memory, or positions counted from the oldest item.
    """
    for trunk in trunks:
        kernels = {type(layer.attention) for layer in cast("list[TransformerLayer]", list(trunk.layers))}
        found = [f"attention {kernel.__name__}" for kernel in kernels - {DotProductAttention}]
        found += [] if isinstance(trunk.memory, nn.Identity) else ["a memory"]
        found += [] if trunk.from_newest else ["positions from_oldest"]
        if found:
            raise ValueError(
                f"padding cannot learn in a trunk with {' and '.join(found)}; choose padding_learns=false, or "
                "attention dot_product, memory null and positions from_newest"
            )


def _context(attention: DotProductAttention, projected: Tensor, valid: Tensor, causal: bool) -> Tensor:
    """Weighted values ``(B, W, D)`` of queries, keys and values ``(B, W, 3 * D)``; the mask is added in float32."""
    query, key, value = projected.unflatten(-1, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4)  # (B, H, W, D / H)
    mask = window_mask(valid) if causal else (~valid)[:, None, None, :] * MASKED
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    weights = dropout(torch.softmax(scores.float() + mask, dim=-1), attention.dropout, attention.training)
    return (weights.to(value.dtype) @ value).transpose(1, 2).flatten(2)

"""Views and losses of S3-Rec's pre-training (Zhou et al., CIKM 2020): hidden items and segments, and their negatives.

Shapes: items ``(B, L)``, 0 pads on the right; rng_keys ``(B,)``, see :mod:`seqrec.functional.keyed_random`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.functional.chunks import rows_at_a_time
from seqrec.functional.keyed_random import integers, split
from seqrec.functional.precision import at_least_float
from seqrec.functional.softmax.chunked import CHUNK_ELEMENTS


class Segments(NamedTuple):
    """Histories ``(B, L)`` without a segment, the segment alone, and another segment in its place."""

    context: Tensor
    positive: Tensor
    negative: Tensor


def hide_segment(items: Tensor, rng_keys: Tensor, pool: Tensor, token: int) -> Segments:
    """Hide a random segment of each history; in the second view only the segment is visible, in the third only another.

    Of k items the segment has 1 to ``k // 2``. A history of one item has no segment: all three are the history.

    Args:
        items: ``(B, L)``.
        rng_keys: ``(B,)``.
        pool: ``(P,)`` items in the order of consumption; a stretch of it from a random place is the other segment.
        token: id that hides an item.
    """
    of_length, of_start, of_other = split(rng_keys, 3).unbind(1)
    count = (items != 0).sum(1, keepdim=True)
    length = (1 + integers(of_length[:, None], 1, (count // 2)[..., None])[..., 0]) * (count > 1)
    start = integers(of_start[:, None], 1, (count - length + 1)[..., None])[..., 0]
    other = integers(of_other[:, None], 1, (len(pool) - length + 1)[..., None])[..., 0]
    place = torch.arange(items.shape[1], device=items.device) - start
    inside = (place >= 0) & (place < length)
    exchanged = torch.where(inside, pool[torch.where(inside, other + place, 0)].long(), items)
    outside = (items != 0) & ~inside & (count > 1)
    context = items.masked_fill(inside, token)
    return Segments(context, items.masked_fill(outside, token), exchanged.masked_fill(outside, token))


def uniform_outside(items: Tensor, rng_keys: Tensor, high: int) -> Tensor:
    """Uniform ids ``(B, L)`` of 1 to ``high`` that a row does not have; a row must leave at least one.

    Args:
        items: ``(B, L)`` ids of at most ``high``.
        rng_keys: ``(B,)``.
        high: largest id.
    """
    nothing = 2 * high + items.shape[1]  # beyond all that can be drawn
    ordered = items.masked_fill(items == 0, nothing).sort(1).values
    again = F.pad(ordered[:, 1:] == ordered[:, :-1], (1, 0))
    distinct = ordered.masked_fill(again, nothing).sort(1).values
    free = high - (distinct < nothing).sum(1, keepdim=True)
    drawn = integers(rng_keys, items.shape[1], free)
    # The j-th of the row's ids (from 0) lies below a draw where as many free ids or fewer precede it.
    free_before = distinct - 1 - torch.arange(items.shape[1], device=items.device)
    return drawn + 1 + torch.searchsorted(free_before, drawn, right=True)


class _SoftplusSum(torch.autograd.Function):
    """Sum of softplus over all products; the gradient is formed in the forward pass, a chunk of rows at a time.

    Rows that do not ``exist`` ``(M,)`` are left out.
    """

    @staticmethod
    def forward(ctx: Any, states: Tensor, classes: Tensor, exist: Tensor | None) -> Tensor:
        rows = rows_at_a_time(len(classes), CHUNK_ELEMENTS, states)
        total, grad_classes = states.new_zeros(()), torch.zeros_like(classes)
        grad_states = torch.empty_like(states)
        kept = [None] * len(states.split(rows)) if exist is None else exist[:, None].split(rows)
        for x, grad_x, some in zip(states.split(rows), grad_states.split(rows), kept, strict=True):
            logits = x @ classes.T
            total += F.softplus(logits).sum() if some is None else (F.softplus(logits) * some).sum()
            probability = logits.sigmoid_()
            if some is not None:
                probability.mul_(some)
            torch.mm(probability, classes, out=grad_x)
            grad_classes.addmm_(probability.T, x)
        ctx.save_for_backward(grad_states, grad_classes)
        return total

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_states, grad_classes = ctx.saved_tensors
        return grad_states * grad[0], grad_classes * grad[0], None


def attribute_loss(states: Tensor, classes: Tensor, attributes: Tensor, exist: Tensor | None = None) -> Tensor:
    """Sum over positions and all T attributes of the binary cross entropy (S3-Rec, eqs. 5 and 8, as released).

    Args:
        states: ``(M, D)``.
        classes: ``(T, D)``; row ``t`` is attribute ``t + 1``.
        attributes: ``(M, A)`` distinct ids 1..T of each position, 0 where it has fewer than A.
        exist: ``(M,)`` bool, the positions that count; None: all.

    Returns:
        Scalar, computed in float32 at least, without a target for each pair of position and attribute.
    """
    with torch.autocast(states.device.type, enabled=False):
        states, classes = at_least_float(states), at_least_float(classes, states)
        own = (F.embedding((attributes - 1).clamp(min=0), classes) * (attributes > 0)[..., None]).sum(1)
        of_all: Tensor = _SoftplusSum.apply(states, classes, exist)
        own = own if exist is None else own * exist[:, None]
        return of_all - (states * own).sum()


def contrast_of_sigmoids(query: Tensor, positive: Tensor, negative: Tensor, exist: Tensor | None = None) -> Tensor:
    """Sum of ``-log sigmoid(sigmoid(q p) - sigmoid(q n))`` over vectors ``(M, D)`` that exist (twice, as released)."""
    difference = torch.sigmoid((query * positive).sum(-1)) - torch.sigmoid((query * negative).sum(-1))
    lost = F.softplus(-difference)
    return lost.sum() if exist is None else (lost * exist).sum()

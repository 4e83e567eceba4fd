"""A table of items whose rows several processes divide, so that no process ever has the whole of it.

Each process has its own histories, as under DDP, and looks rows up that others hold, and scores items that others hold.
So the ids and the vectors of all processes go to each of them; what each finds with its rows is added up. Messages grow
with the batch, never with the catalogue. All processes must call these functions together. Gradients are of the mean of
the processes' losses: a process has those of its rows from all losses, and those of its states from its own loss, which
are averaged with those of other processes where the weights are.

T is the number of positions (or ids) of all processes together, M that of one, C the rows that this process holds.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeGuard

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.distributed.tensor import DTensor, Shard

from seqrec.functional.precision import at_least_float
from seqrec.functional.ranks import all_rows

LOGITS = 1 << 24  # in memory at a time: 64 MB


class Rows(NamedTuple):
    """Some rows of a divided table.

    Attributes:
        held: ``(C, D)`` those of them that this process holds; it may hold none.
        first: number of its first row, counted from the first of the chosen ones.
        most: the most rows that a process holds.
    """

    held: Tensor
    first: int
    most: int

    def places(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Where ``rows`` are in :attr:`held`, and whether they are: where not, the place is some other."""
        place = rows - self.first
        inside = (place >= 0) & (place < len(self.held))
        return place.clamp(min=0, max=max(0, len(self.held) - 1)), inside


def is_divided(table: object) -> TypeGuard[Tensor]:
    """Whether processes divide the rows of ``table``."""
    return isinstance(table, DTensor)


def part(table: Tensor, first: int, stop: int) -> Rows:
    """Rows ``[first, stop)`` of a divided table ``(V, D)``."""
    assert isinstance(table, DTensor)
    most = -(-len(table) // dist.get_world_size())  # all but the last processes hold so many
    begin = dist.get_rank() * most
    own = table.to_local(grad_placements=[Shard(0)])
    least, end = (min(max(0, limit - begin), len(own)) for limit in (first, stop))
    return Rows(own[least:end], begin + least - first, most)


def looked_up(ids: Tensor, rows: Rows) -> Tensor:
    """Vectors ``(M, D)`` of ``ids`` ``(M,)``; id 0 is padding, to which no gradient goes."""
    found: Tensor = _LookUp.apply(ids, rows.held, rows)
    return found


class _LookUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, ids: Tensor, held: Tensor, rows: Rows) -> Tensor:
        everyones, ctx.own = all_rows(ids)
        place, inside = rows.places(everyones)
        found = held.new_zeros(len(everyones), held.shape[1])
        if len(held):
            found = held[place] * inside[:, None]
        dist.all_reduce(found)
        ctx.save_for_backward(place, inside & (everyones != 0))
        ctx.shape = held.shape
        return found[ctx.own].clone()

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor | None, ...]:
        place, counted = ctx.saved_tensors
        everyones, _ = all_rows(grad[0])
        of_rows = everyones.new_zeros(ctx.shape)
        if len(of_rows):
            of_rows.index_add_(0, place, everyones * (counted[:, None] / dist.get_world_size()))
        return None, of_rows, None


def scores(query: Tensor, rows: Rows) -> Tensor:
    """Products ``(B, I)`` of ``query`` ``(B, D)``, the same on all processes, with I rows; without gradient."""
    held = F.linear(query, rows.held.to(query.dtype))
    return all_rows(held.detach().T.contiguous())[0].T


def divided_cross_entropy(
    states: Tensor, rows: Rows, items: Tensor, probabilities: Tensor | None, weight: Tensor
) -> Tensor:
    """:func:`~seqrec.functional.losses.soft_label_cross_entropy` over classes that the processes divide.

    Args:
        states: ``(M, D)``.
        rows: of the classes.
        items: ``(M, K)`` int64, numbers of classes.
        probabilities: ``(M, K)``; None for K = 1.
        weight: ``(M,)`` of the positions.

    Returns:
        Scalar, the weighted sum of this process's positions.
    """
    held = at_least_float(rows.held, states)
    if probabilities is None:
        probabilities = states.new_ones(items.shape)
    loss: Tensor = _DividedCrossEntropy.apply(states, held, rows, items, probabilities, weight)
    return loss


class _DividedCrossEntropy(torch.autograd.Function):
    """With its gradient, a chunk of positions at a time: a process knows its logits, and of others' their log-sum."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, held: Tensor, rows: Rows, items: Tensor, probabilities: Tensor, weight: Tensor
    ) -> Tensor:
        everyones, own = all_rows(states)
        (items, _), (weights, _) = all_rows(items), all_rows(weight[:, None])
        place, inside = rows.places(items)
        label = all_rows(probabilities)[0] * inside
        expected = torch.zeros_like(everyones)  # of the labels, as far as this process holds them
        if len(held):
            expected = (F.embedding(place, held) * label[..., None]).sum(1)
        of_states, of_rows = torch.empty_like(everyones), torch.zeros_like(held)
        terms = everyones.new_empty(len(everyones))
        step = max(1, LOGITS // rows.most)  # the same on all processes, which meet in each chunk
        for first in range(0, len(everyones), step):
            some = slice(first, first + step)
            x, w = everyones[some], weights[some]
            logits = x @ held.T
            found = torch.stack([logits.logsumexp(1), (x * expected[some]).sum(1)])
            of_all = found.new_empty(dist.get_world_size(), *found.shape)
            dist.all_gather(list(of_all.unbind()), found)
            log_sum = of_all[:, 0].logsumexp(0)
            terms[some] = log_sum - of_all[:, 1].sum(0)
            probability = logits.sub_(log_sum[:, None]).exp_()
            of_states[some] = (probability @ held - expected[some]) * w
            of_rows.addmm_(probability.T, x * w)
        if len(held):
            for k in range(items.shape[1]):
                of_rows.index_add_(0, place[:, k], everyones * (weights * label[:, k, None]), alpha=-1)
        dist.all_reduce(of_states)
        ctx.save_for_backward(of_states[own].clone(), of_rows)
        return (terms[own] * weight).sum()

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor | None, ...]:
        of_states, of_rows = ctx.saved_tensors
        return of_states * grad[0], of_rows * (grad[0] / dist.get_world_size()), None, None, None, None

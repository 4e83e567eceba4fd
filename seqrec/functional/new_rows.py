"""Where the rows of new items and users start: among their neighbours, so that they are ranked as those are.

A plain mean of a table is shorter than its rows, or, along what all rows have in common, ahead of most of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def new_rows(table: Tensor, ways: Sequence[Sequence[Tensor]], count: int) -> Tensor:
    """First vectors ``(N, D)`` of what is new: a weighted mean of old ones, at most as long as their median.

    Args:
        table: old vectors ``(I, D)``.
        ways: weights over the old ones, the preferred first, each a product of sparse matrices whose first has N rows
            and whose last has I columns; one without matrices knows nobody. A row takes the first that knows it, else
            the mean of all.
        count: N.
    """
    found = table.mean(0).expand(count, -1).clone()
    for way in reversed(ways):
        weighed, weight = _product(way, table), _product(way, table.new_ones(len(table), 1))
        if weighed is not None and weight is not None:
            known = weight[:, 0] > 0
            found[known] = weighed[known] / weight[known]
    lengths = found.norm(dim=1, keepdim=True)
    return found * (table.norm(dim=1).median() / lengths.clamp(min=1e-12)).clamp(max=1.0)


def known(ways: Sequence[Sequence[Tensor]], old: int, count: int) -> list[int]:
    """How many new rows each way is the first to know, and how many none does.

    Args:
        ways: as of :func:`new_rows`.
        old: I.
        count: N.
    """
    left, counts = torch.ones(count, dtype=torch.bool), []
    for way in ways:
        weight = _product(way, torch.ones(old, 1))
        reached = left & (weight[:, 0] > 0) if weight is not None else torch.zeros_like(left)
        counts.append(int(reached.sum()))
        left &= ~reached
    return [*counts, int(left.sum())]


def new_biases(biases: Tensor, old_counts: Tensor, new_counts: Tensor) -> Tensor:
    """First biases ``(N,)`` of new items: what the old ones have at the same frequency.

    A bias of a softmax follows the logarithm of a frequency; the line through the old ones gives scale and offset.

    Args:
        biases: of old items ``(I,)``.
        old_counts, new_counts: training interactions, ``(I,)`` and ``(N,)``.
    """
    x, y = torch.log1p(old_counts.double()), biases.double()
    spread = (x - x.mean()).square().sum()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / spread if spread > 0 else x.new_zeros(())
    return (y.mean() + slope * (torch.log1p(new_counts.double()) - x.mean())).to(biases.dtype)


def _product(way: Sequence[Tensor], vectors: Tensor) -> Tensor | None:
    """The product of the matrices and ``vectors``; None without matrices."""
    if not way:
        return None
    for matrix in reversed(way):
        vectors = torch.sparse.mm(matrix.to(vectors.dtype), vectors)
    return vectors

"""What the processes of a distributed training have in common; with one process everything stays as it is.

Each process has a share of a batch. A loss in which examples of a batch meet is that of the whole batch only if each
process has the vectors of all of them.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from seqrec.functional.precision import at_least_float


def of_all_ranks(x: Tensor) -> Tensor:
    """Rows ``(B, ...)`` of all ranks, one rank after the other, in place of this rank's share ``(b, ...)``.

    All ranks must compute one and the same loss from the result: its gradient for this rank's rows is taken from this
    rank's loss alone, times the number of ranks, because the gradients of the weights are averaged over ranks later.
    All ranks must call it together; their shares may differ in size. Vectors become float32 at least.
    """
    if not _several():
        return x
    rows: Tensor = _AllRows.apply(at_least_float(x) if x.is_floating_point() else x)
    return rows


def of_first_rank(x: Tensor) -> Tensor:
    """``x`` of rank 0 on all ranks, without gradient; its shape is the same everywhere."""
    if not _several():
        return x
    shared = x.detach().contiguous()
    dist.broadcast(shared, 0)
    return shared


def _several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def all_rows(x: Tensor) -> tuple[Tensor, slice]:
    """Rows ``(B, ...)`` of all ranks without gradient, and where this rank's ``(b, ...)`` are; of one group at least.

    All ranks must call it together; their shares may differ in size.
    """
    own = torch.tensor([len(x)], device=x.device)
    counts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(counts, own)
    sizes = torch.cat(counts).tolist()
    padded = x.new_zeros(max(sizes), *x.shape[1:])
    padded[: len(x)] = x
    parts = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(parts, padded)
    first = sum(sizes[: dist.get_rank()])
    rows = torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])
    return rows, slice(first, first + len(x))


class _AllRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        rows, ctx.own = all_rows(x)
        return rows

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> Tensor:
        return grad[0][ctx.own] * dist.get_world_size()

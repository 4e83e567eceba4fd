"""Look-ups in a table of few rows, such as positions, whose gradient a GPU forms with few kernels."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def look_up(table: Tensor, place: Tensor) -> Tensor:
    """Rows ``(..., D)`` of a small table ``(P, D)`` at places ``(...)``."""
    if table.is_cuda and not torch.compiler.is_compiling():
        rows: Tensor = _FewRows.apply(table, place)
        return rows
    return F.embedding(place, table)


class _FewRows(torch.autograd.Function):
    """:func:`look_up` whose gradient is a product, where that of a large table sorts the places first."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, place: Tensor) -> Tensor:
        ctx.save_for_backward(place)
        ctx.rows = len(table)
        return F.embedding(place, table)

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor, None]:
        (place,) = ctx.saved_tensors
        rows = torch.arange(ctx.rows, device=place.device)
        here = grad[0].new_empty(ctx.rows, place.numel())
        torch.eq(place.flatten(), rows[:, None], out=here)
        return here @ grad[0].flatten(0, -2), None

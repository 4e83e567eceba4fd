"""Rows of length one, and cosines of rows, whose gradient a GPU forms with few kernels."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST = 1e-12  # a shorter row is divided by this


def unit_rows(x: Tensor) -> Tensor:
    """Rows ``(..., D)`` divided by their length."""
    if x.is_cuda and not torch.compiler.is_compiling():
        rows: Tensor = _UnitRows.apply(x)
        return rows
    return F.normalize(x, dim=-1, eps=LEAST)


def unit_pair(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """:func:`unit_rows` of two ``(..., D)``, which a GPU makes together."""
    if not a.is_cuda:
        return unit_rows(a), unit_rows(b)
    unit_a, unit_b = unit_rows(torch.stack([a, b]))
    return unit_a, unit_b


def cosines(a: Tensor, b: Tensor) -> Tensor:
    """Cosines ``(...)`` of rows ``(..., D)``."""
    if not a.is_cuda:
        return F.cosine_similarity(a, b, dim=-1)
    unit_a, unit_b = unit_pair(a, b)
    return (unit_a * unit_b).sum(-1)


class _UnitRows(torch.autograd.Function):
    """With the gradient as one knows it: what is across the row, divided by its length."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp_(min=LEAST)
        unit = x / length
        ctx.save_for_backward(unit, length)
        return unit

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> Tensor:
        unit, length = ctx.saved_tensors
        along = (grad[0] * unit).sum(-1, keepdim=True)
        return torch.addcmul(grad[0], unit, along, value=-1).div_(length)

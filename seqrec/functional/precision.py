"""Full precision where half precision would not do under autocast, and half precision where it will."""

from __future__ import annotations

import torch
from torch import Tensor

SUMS_IN_FLOAT = "dtype" in torch.ops.aten.mm.overloads()
"""Whether this torch multiplies matrices of bfloat16 to one of float32, as since 2.8."""


def at_least_float(x: Tensor, like: Tensor | None = None) -> Tensor:
    """``x`` in float32, or in float64 where it has it already; with ``like``, in the type that this one would get."""
    return x.to(torch.promote_types((x if like is None else like).dtype, torch.float32))


def factor_type(x: Tensor) -> torch.dtype:
    """The type that factors of large products have: bfloat16 where autocast says so, else float32 or that of ``x``.

    Not float16, in which the small factors of a gradient would be 0.
    """
    kind = x.device.type
    half = torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.bfloat16
    return torch.bfloat16 if half and x.dtype != torch.float64 else torch.promote_types(x.dtype, torch.float32)


def product(a: Tensor, b: Tensor, factors: torch.dtype, out: Tensor | None = None) -> Tensor:
    """``a @ b`` of matrices in float32 at least, whose factors are rounded to a type and whose sums are not.

    Args:
        a, b: ``(M, K)`` and ``(K, N)`` in float32 or float64.
        factors: the type of ``a``, or bfloat16.
        out: ``(M, N)``, where the result goes.
    """
    if factors != a.dtype:
        a, b = a.to(factors), b.to(factors)
        if a.device.type == "cuda" and SUMS_IN_FLOAT:
            return torch.mm(a, b, out_dtype=torch.float32, out=out)  # on tensor cores
        a, b = a.float(), b.float()  # a product of two bfloat16 numbers is exact in float32
    return torch.mm(a, b) if out is None else torch.mm(a, b, out=out)


def add_product_(total: Tensor, a: Tensor, b: Tensor, factors: torch.dtype) -> None:
    """Add :func:`product` to ``total`` ``(M, N)``, in place."""
    if factors == a.dtype:
        total.addmm_(a, b)
    else:
        total.add_(product(a, b, factors))

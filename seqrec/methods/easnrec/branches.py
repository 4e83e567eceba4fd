"""Both branches of the uncertainty attention side by side, made and undone with few kernels.

Shapes: B rows, L positions, H heads, d their width. Parts ``(B, L, 5, H, d)`` are queries, keys, values, penalty
queries and penalty keys. A branch asks with ``(q, -q_p)`` and is asked with ``(k, k_p)``, whose product is the
penalised score; the second branch has noise on q and k.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqrec.functional.constants import by_column


def branches(parts: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What asks ``(2B, H, L, 2d)``, what is asked, and the values ``(2B, H, L, d)``, the plain branch first.

    Args:
        parts: ``(B, L, 5, H, d)``.
        noise: ``(2, B, H, L, d)`` of queries and keys.
    """
    if not torch.compiler.is_compiling():
        made: tuple[Tensor, Tensor, Tensor] = _Branches.apply(parts, noise)
        return made
    query, key, value, penalty_query, penalty_key = parts.permute(2, 0, 3, 1, 4).unbind(0)
    asking, asked = (
        torch.cat([torch.cat([plain, plain + noisy]), torch.cat([penalty, penalty])], -1)
        for plain, noisy, penalty in ((query, noise[0], -penalty_query), (key, noise[1], penalty_key))
    )
    return asking, asked, torch.cat([value, value])


def joined(contexts: Tensor, heads: int) -> Tensor:
    """The sum of both branches' contexts ``(2B, H, L, d)``, heads side by side: ``(B, L, H * d)``."""
    if not torch.compiler.is_compiling():
        summed: Tensor = _Joined.apply(contexts, heads)
        return summed
    return contexts.unflatten(0, (2, -1)).sum(0).transpose(1, 2).flatten(2)


class _Joined(torch.autograd.Function):
    """Summed into its place, so that nothing is moved afterwards."""

    @staticmethod
    def forward(ctx: Any, contexts: Tensor, heads: int) -> Tensor:
        ctx.heads = heads
        rows, _, length, width = contexts.shape
        out = contexts.new_empty(rows // 2, length, heads, width)
        torch.sum(contexts.unflatten(0, (2, -1)), 0, out=out.transpose(1, 2))
        return out.flatten(2)

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor, None]:
        of_one = grad[0].unflatten(2, (ctx.heads, -1)).transpose(1, 2)
        return of_one.expand(2, *of_one.shape).flatten(0, 1), None


class _Branches(torch.autograd.Function):
    """Copies between two buffers; automatic differentiation would add up parts of them one by one."""

    @staticmethod
    def forward(ctx: Any, parts: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rows, length, _, heads, width = parts.shape
        # Queries or keys, branch, B, H, L, own or penalty, d: (0, 3) are q and q_p, (1, 4) are k and k_p.
        both = parts.new_empty(2, 2, rows, heads, length, 2, width)
        sign = by_column((1.0, -1.0, 1.0, 1.0), (1, 1, 1, 1), parts).view(2, 1, 1, 1, 1, 2, 1)
        of_one = parts.unfold(2, 4, 1)[..., ::3].permute(2, 0, 3, 1, 5, 4)[:, None]
        torch.mul(of_one.expand_as(both), sign, out=both)
        both[:, 1, ..., 0, :].add_(noise)
        value = parts[:, :, 2].transpose(1, 2).expand(2, -1, -1, -1, -1).flatten(0, 1)
        asking, asked = both.flatten(1, 2).flatten(-2).unbind(0)
        return asking, asked, value

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor, None]:
        asking, asked, value = (of_branches.unflatten(0, (2, -1)) for of_branches in grad)
        _, rows, heads, length, width = value.shape
        parts = value.new_empty(rows, length, 5, heads, width)
        torch.sum(asking.unflatten(-1, (2, -1)), 0, out=parts[:, :, 0:4:3].permute(0, 3, 1, 2, 4))
        torch.sum(asked.unflatten(-1, (2, -1)), 0, out=parts[:, :, 1:5:3].permute(0, 3, 1, 2, 4))
        torch.sum(value, 0, out=parts[:, :, 2].transpose(1, 2))
        parts[:, :, 3].neg_()
        return parts, None

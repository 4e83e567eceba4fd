"""The logarithm of FENRec's sum of weighted exponentials, with its gradient formed in the forward pass.

A dot product x enters as ``w(x) = x / t * (tanh(x / s) + m)``. Under automatic differentiation each operator of that
formula would store a matrix ``(R, C)`` and read it again in the backward pass.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seqrec.functional.constants import by_column
from seqrec.functional.in_batch.log_sum import exponentials_


class Block(NamedTuple):
    """Some columns of the sum.

    Attributes:
        products: ``(..., R, C)`` dot products.
        margin: m.
        log_weight: logarithm of the weight of these exponentials.
        removed: ``(..., R, C)`` bool, the columns that are left out of a row, or None.
    """

    products: Tensor
    margin: float
    log_weight: float = 0.0
    removed: Tensor | None = None


def weighed_log_sum(blocks: list[Block], temperature: float, scale: float) -> Tensor:
    """``log sum exp(w(x) + log_weight)`` over the columns of all blocks, ``(..., R)``.

    Args:
        blocks: of R rows each; a row needs at least one column that is not removed.
        temperature: t.
        scale: s.
    """
    products = blocks[0].products
    if products.dim() > 2 or products.is_cuda or torch.compiler.is_compiling():
        return in_one_matrix(blocks, temperature, scale)
    log_sum: Tensor = _WeighedLogSum.apply(
        [block[1:] for block in blocks], temperature, scale, *[block.products for block in blocks]
    )
    return log_sum


def in_one_matrix(blocks: list[Block], temperature: float, scale: float) -> Tensor:
    """:func:`weighed_log_sum` in a few operators on all columns together, which a compiler makes one of."""
    x, widths = torch.cat([block.products for block in blocks], -1), [block.products.shape[-1] for block in blocks]
    margin, log_weight = (
        by_column(tuple(numbers), tuple(widths), x)
        for numbers in ([block.margin for block in blocks], [block.log_weight for block in blocks])
    )
    weighed = x / temperature * (torch.tanh(x / scale) + margin) + log_weight
    nothing = [
        b.products.new_zeros(1, dtype=torch.bool).expand(b.products.shape)
        if b.removed is None
        else b.removed.expand(b.products.shape)
        for b in blocks
    ]
    return weighed.masked_fill(torch.cat(nothing, -1), -torch.inf).logsumexp(-1)


class _WeighedLogSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rules: list[Any], temperature: float, scale: float, *products: Tensor) -> Tensor:
        widths = [x.shape[1] for x in products]
        weighed = products[0].new_empty(len(products[0]), sum(widths))
        slope = torch.empty_like(weighed)  # of w, times t
        parts = zip(weighed.split(widths, 1), slope.split(widths, 1), products, rules, strict=True)
        for w, y, x, (margin, log_weight, removed) in parts:
            # With b = tanh(x / s): t w = x (b + m), and its slope t w' = (b + m) + (x / s)(1 - b^2). Views of the two
            # large matrices are filled in place, so that no operator allocates one of its own.
            torch.mul(x, 1 / scale, out=y)
            bent = y.tanh()
            shifted = bent + margin
            torch.mul(shifted, x, out=w).mul_(1 / temperature)
            y.addcmul_(bent.mul_(bent), y, value=-1).add_(shifted)
            if log_weight:
                w.add_(log_weight)
            if removed is not None:
                w.masked_fill_(removed, -torch.inf)
        largest = weighed.amax(1, keepdim=True)
        total = exponentials_(weighed.sub_(largest)).sum(1, keepdim=True)
        # The gradient of the logarithm is softmax(w) w'; w holds exponentials by now.
        ctx.save_for_backward(*slope.mul_(weighed).mul_(1 / (temperature * total)).split(widths, 1))
        return (largest + total.log())[:, 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, None, *(part * grad[0][:, None] for part in ctx.saved_tensors)

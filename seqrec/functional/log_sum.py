"""Logsumexp without denormal numbers, on which a CPU spends a hundred times as long as on others.

Raw dot products of long vectors lie hundreds apart, so their exponentials fall below what a float can hold in full,
and each product with the gradient has to carry on with them.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

LEAST = -60.0
"""Smallest exponent, counted from the largest of its row; what is smaller counts as nothing."""


def exponentials_(x: Tensor) -> Tensor:
    """``exp(x)`` in the place of x, 0 at and below :data:`LEAST`."""
    return torch.threshold_(x.clamp_(min=LEAST).exp_(), 1.001 * math.exp(LEAST), 0.0)


def log_sum_exp(scores: Tensor) -> Tensor:
    """``torch.logsumexp(scores, 1)``, ``(R,)`` of ``(R, C)``, but for terms below e^-60 of a row's largest.

    They, and their gradients, are 0. A row needs at least one finite score.
    """
    log_sum: Tensor = _LogSumExp.apply(scores)
    return log_sum


class _LogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        largest = scores.amax(1, keepdim=True)
        share = exponentials_(scores - largest)
        total = share.sum(1, keepdim=True)
        ctx.save_for_backward(share.div_(total))
        return (largest + total.log())[:, 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad: Tensor) -> Tensor:
        (share,) = ctx.saved_tensors
        return share * grad[0][:, None]

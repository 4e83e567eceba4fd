"""Logsumexp without denormal numbers, for which a CPU needs a hundred times as long as for others.

Dot products of long vectors differ by hundreds, so some exponentials fall below the smallest normal float, and so does
everything that they are multiplied with in the backward pass.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

LEAST = -60.0
"""Smallest exponent, counted from the largest of its row; what is smaller is 0."""


def exponentials_(x: Tensor) -> Tensor:
    """``exp(x)``, in place, 0 at and below :data:`LEAST`."""
    return torch.threshold_(x.clamp_(min=LEAST).exp_(), 1.001 * math.exp(LEAST), 0.0)


def log_sum_exp(scores: Tensor) -> Tensor:
    """``torch.logsumexp(scores, -1)``, ``(..., R)`` of ``(..., R, C)``, but for terms below e^-60 of a row's largest.

    They, and their gradients, are 0. A row needs at least one finite score.
    """
    log_sum: Tensor = _LogSumExp.apply(scores)
    return log_sum


class _LogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        largest = scores.amax(-1, keepdim=True)
        probability = exponentials_(scores - largest)
        total = probability.sum(-1, keepdim=True)
        ctx.save_for_backward(probability.div_(total))
        return (largest + total.log())[..., 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad: Tensor) -> Tensor:
        (probability,) = ctx.saved_tensors
        return probability * grad[0][..., None]

"""Gradients that are kept small before a step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn

ClipAlgorithm = Literal["norm", "value"]


def clip_gradients(parameters: Iterable[nn.Parameter], limit: float, algorithm: ClipAlgorithm = "norm") -> None:
    """Bound the gradients of ``parameters`` in place, dense and sparse ones.

    Args:
        parameters: those without a gradient are left out.
        limit: above 0; the largest norm of all gradients together, or the largest absolute value of each number.
        algorithm: ``norm`` or ``value``.
    """
    holders = [_with_dense_gradient(p) for p in parameters if p.grad is not None]
    if algorithm == "value":
        nn.utils.clip_grad_value_(holders, limit)
    else:
        nn.utils.clip_grad_norm_(holders, limit)


def _with_dense_gradient(parameter: nn.Parameter) -> Tensor:
    """The parameter; of a sparse gradient a stand-in whose gradient is the values of the rows, in the same memory."""
    gradient = parameter.grad
    if gradient is None or not gradient.is_sparse:
        return parameter
    parameter.grad = gradient.coalesce()  # a row that was used twice has one gradient, the sum
    values = parameter.grad._values()
    stand_in = torch.empty_like(values, requires_grad=True)
    stand_in.grad = values
    return stand_in

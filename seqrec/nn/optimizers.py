"""Optimizers that treat parameters by their kind."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from torch.optim import AdamW


def adamw_for_matrices(parameters: Iterable[nn.Parameter], lr: float, weight_decay: float, eps: float = 1e-8) -> AdamW:
    """AdamW whose weight decay spares vectors, which are biases and the weights of norms.

    Args:
        parameters: all that learn.
        lr: learning rate.
        weight_decay: of parameters with at least two dimensions.
        eps: of the denominator.
    """
    parameters = list(parameters)
    matrices = [p for p in parameters if p.ndim >= 2]
    vectors = [p for p in parameters if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return AdamW([group for group in groups if group["params"]], lr=lr, eps=eps, fused=True)

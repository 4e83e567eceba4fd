"""LazyAdam: Adam that updates only those rows of a table that a batch has used."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam


class LazyAdam(Adam):
    """Adam; of a parameter whose gradient is sparse, the rows without a gradient stay as they are.

    Adam itself would still move them by their decaying moments, and pass over the whole table and both moments in
    every step. Moments of a row decay here when it is used; both biases are corrected by the number of steps of the
    parameter. With gradients that are all dense, or with sparse ones that hold every row, this is Adam.

    torch's ``SparseAdam`` has the same idea, but takes no dense gradients, and a model has both. Adam's other options
    (weight decay, amsgrad, maximize) have no meaning for rows that are not there, and are not offered.

    Args:
        parameters: all that learn.
        lr, betas, eps, fused: as for Adam.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        fused: bool = False,
    ) -> None:
        super().__init__(parameters, lr=lr, betas=betas, eps=eps, fused=fused)

    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """One step; ``closure`` computes the loss and the gradients, as for every optimizer."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None and table.grad.is_sparse:
                    self._move_rows(table, table.grad.coalesce(), group)
                    table.grad = None
        super().step()
        return loss

    @torch.no_grad()
    def _move_rows(self, table: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        """Adam on the rows ``(N, D)`` of ``table`` ``(V, D)`` that have a gradient, a sparse one."""
        rows, values = gradient.indices()[0], gradient.values()
        state = self.state[table]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(table), torch.zeros_like(table)
        state["step"] += 1
        first, second = group["betas"]
        mean = state["exp_avg"][rows].lerp_(values, 1 - first)
        square = state["exp_avg_sq"][rows].mul_(second).addcmul_(values, values, value=1 - second)
        state["exp_avg"].index_copy_(0, rows, mean)
        state["exp_avg_sq"].index_copy_(0, rows, square)
        steps = state["step"].item()
        scale = square.div_(1 - second**steps).sqrt_().add_(group["eps"])
        table.index_add_(0, rows, mean.div_(scale), alpha=-group["lr"] / (1 - first**steps))

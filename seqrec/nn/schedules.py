"""Learning-rate schedules that torch does not have in this form."""

from __future__ import annotations

from typing import Final

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LinearLR


class LinearWarmup(LinearLR):
    """The learning rate grows from ``lr / num_steps`` at the first step to ``lr`` at step ``num_steps``, and stays.

    Args:
        optimizer: its learning rate is the one that is reached.
        num_steps: W steps of the optimizer; accumulated batches make one step.

    Attributes:
        interval: stepped after each step of the optimizer, not once an epoch; read by
            :class:`~seqrec.methods.base.Recommender`.

    Raises:
        ValueError: W is below 1.
    """

    interval: Final = "step"

    def __init__(self, optimizer: Optimizer, num_steps: int) -> None:
        if num_steps < 1:
            raise ValueError(f"num_steps of the warm-up is {num_steps}; give at least 1, or model/scheduler=null")
        super().__init__(optimizer, start_factor=1 / num_steps, total_iters=num_steps - 1)

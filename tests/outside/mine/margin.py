"""A loss of the package's own."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def margin(states: Tensor, target: Tensor, table: Tensor, rng_keys: Tensor, width: float) -> Tensor:
    """Multi-class hinge: every other item stays ``width`` below the target.

    Args:
        states: ``(M, D)``.
        target: ``(M,)``, ids 1..I.
        table: ``(I + 2, D)``.
        rng_keys: unused; losses with sampled negatives need them.
        width: of the margin.
    """
    return F.multi_margin_loss(states @ table[1:-1].T, target - 1, margin=width)

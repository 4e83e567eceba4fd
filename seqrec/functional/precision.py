"""Full precision where half precision would not do, under autocast too."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float(x: Tensor, like: Tensor | None = None) -> Tensor:
    """``x`` in float32, or in float64 where it has it already; with ``like``, in the type that this one would get."""
    return x.to(torch.promote_types((x if like is None else like).dtype, torch.float32))

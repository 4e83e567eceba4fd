"""The additive attention mask of whole left-padded windows, as released codes build it."""

from __future__ import annotations

import torch
from torch import Tensor

MASKED = -10000.0  # added to scores, in float32: rounds those of a padding query, as in the released code


def window_mask(valid: Tensor) -> Tensor:
    """What to add to scores ``(B, 1, W, W)``: 0 at valid keys that are not newer than the query, else -10000."""
    length = valid.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=valid.device).tril()
    allowed = valid[:, None, None, :] & causal
    return torch.zeros(allowed.shape, device=valid.device).masked_fill_(~allowed, MASKED)

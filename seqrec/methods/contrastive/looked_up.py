"""LookedUp: histories of other training windows, where the model is."""

from __future__ import annotations

import torch
from torch import Tensor

from seqrec.data.windows import Windows
from seqrec.nn.packing import static_shapes


class LookedUp:
    """Histories by the numbers of their windows; on a GPU always of the same width.

    Args:
        windows: on the CPU.
        max_length: newest items of a history to take.
        device: of the numbers and of the histories.
    """

    def __init__(self, windows: Windows, max_length: int, device: torch.device) -> None:
        self.windows, self.max_length = windows.to(device), max_length
        self.widest = min(max_length, int(windows.lengths.max())) if len(windows) else 0

    def __call__(self, rows: Tensor) -> Tensor:
        """Histories ``(B, L)`` of windows ``rows`` ``(B,)``."""
        return self.windows.histories(rows, self.max_length, self.widest if static_shapes(rows) else None)

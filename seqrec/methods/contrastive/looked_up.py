"""LookedUp: histories of other training windows, where the model is."""

from __future__ import annotations

import torch
from torch import Tensor

from seqrec.data.windows import Windows, histories_of, longest
from seqrec.nn.packing import static_shapes


class LookedUp:
    """Histories by the numbers of their windows; on a GPU always of the same width.

    Args:
        windows: on the CPU.
        max_length: newest items of a history to take.
        device: of the numbers and of the histories.
    """

    def __init__(self, windows: Windows, max_length: int, device: torch.device) -> None:
        self.items = windows.sequences.items.to(device)
        start = torch.maximum(windows.start, windows.stop - max_length)
        self.ranges = torch.stack([start, windows.stop], 1).to(device)
        self.widest = min(max_length, int(windows.lengths.max())) if len(windows) else 0

    def __call__(self, rows: Tensor) -> Tensor:
        """Histories ``(B, L)`` of windows ``rows`` ``(B,)``."""
        start, stop = self.ranges[rows].unbind(1)
        return histories_of(self.items, start, stop, self.widest if static_shapes(rows) else longest(stop - start))

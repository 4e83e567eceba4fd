"""Training batches that are gathered where the model is: the data set lies there, and a step sends it nothing.

A GPU must not be asked for a number, which would make the host wait. So what the host has to know of a batch, its width
and its counts, is known before an epoch, from lengths on the host.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from seqrec.data.batch import Batch, Counts
from seqrec.data.windows import Windows, batch_of

SHARE = 10  # the data set may take one part in so many of the memory that is free
NARROWEST = 8  # widths are powers of two from here on: few shapes, so that few graphs are compiled


class DeviceBatches(Dataset[Batch]):
    """The batches of an epoch, by their number.

    They are those of :meth:`Windows.batch <seqrec.data.windows.Windows.batch>`, but for columns of padding at the end.

    Args:
        windows: of the epoch, on the CPU.
        rows: numbers of the windows of each batch, on the CPU.
        max_length: newest items of a history to take.
        device: where the batches are.
    """

    def __init__(self, windows: Windows, rows: Sequence[Tensor], max_length: int, device: torch.device) -> None:
        order, self.all_positions = torch.cat(list(rows)), windows.all_positions
        start = torch.maximum(windows.start, windows.stop - max_length)
        # In the order of the epoch, so that a batch is a part of each that needs no gathering.
        numbers = torch.stack([order, windows.user[order], start[order], windows.stop[order]])
        self.numbers = numbers.to(device).split([len(batch) for batch in rows], 1)
        self.items = windows.sequences.items.to(device)
        lengths = windows.lengths.clamp(max=max_length)
        self.widths, self.counts = [], []
        for batch in rows:
            of_batch = lengths[batch]
            items = int(of_batch.sum())
            self.widths.append(rounded(int(of_batch.max()), max_length))
            self.counts.append(Counts(items, items if windows.all_positions else len(batch)))

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, number: int) -> Batch:
        width, counts = self.widths[number], self.counts[number]
        row, user, start, stop = self.numbers[number]
        return batch_of(self.items, row, user, start, stop, width, self.all_positions, counts)


def rounded(width: int, most: int) -> int:
    """The next power of two, from 8 to ``most``; 0 stays 0."""
    return min(most, max(NARROWEST, 1 << (width - 1).bit_length())) if width else 0


def fits(windows: Windows, device: torch.device) -> bool:
    """Whether histories and windows take a small part of the free memory of a CUDA device."""
    if device.type != "cuda":
        return False
    tensors = (windows.user, windows.start, windows.stop, windows.user, windows.sequences.items)  # and the order
    needed = sum(x.nbytes for x in tensors)
    return needed * SHARE <= torch.cuda.mem_get_info(device)[0]

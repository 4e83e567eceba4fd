"""What a loader needs to gather whole batches: lists of rows, and a data set that makes a batch of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from torch import Tensor
from torch.utils.data import Dataset, Sampler

from seqrec.data.batch import Batch, RankedBatch

Example = TypeVar("Example", Batch, RankedBatch)


class Gather(Dataset[Example], Generic[Example]):
    """A data set whose index is a tensor of rows and whose example is a whole batch."""

    def __init__(self, gather: Callable[[Tensor], Example]) -> None:
        self.gather: Callable[[Tensor], Example] = gather

    def __getitem__(self, rows: Tensor) -> Example:
        return self.gather(rows)


class Batches(Sampler[Tensor]):
    """A fixed list of row tensors."""

    def __init__(self, rows: list[Tensor]) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

"""Histories of different lengths, one after the other instead of padded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

ABSENT = 1 << 30  # the place of an item that belongs to no history
HIDDEN = -1  # an item that becomes padding in its place


class Ragged(NamedTuple):
    """N items of B histories.

    A function that changes histories needs the items in the order of rows and places; its result may have any order.

    Attributes:
        items: ``(N,)``.
        row: ``(N,)`` the history of each item.
        place: ``(N,)`` how many items of its history are older; an item whose place is not below the history's
            length does not count.
        length: ``(B,)``.
    """

    items: Tensor
    row: Tensor
    place: Tensor
    length: Tensor

    def each(self, x: Tensor) -> Tensor:
        """What belongs to each item's history, ``(B,)`` -> ``(N,)``."""
        return x.index_select(0, self.row)

    def of(self, chosen: Tensor) -> Ragged:
        """Without the items of histories that are not ``chosen`` ``(B,)``, which become empty."""
        kept = torch.nonzero(self.each(chosen)).flatten()
        items, row, place = (part.index_select(0, kept) for part in self[:3])
        return Ragged(items, row, place, self.length * chosen)

    @property
    def present(self) -> Tensor:
        """Which items count, ``(N,)``."""
        return self.place < self.each(self.length)

    def padded(self, width: int) -> Tensor:
        """Right-padded histories ``(B, L)`` of at most ``width`` = L items."""
        return self._scattered(self.place, width)

    def windows(self, width: int) -> Tensor:
        """The newest ``width`` items, padded on the left: ``(B, W)``; :data:`HIDDEN` ones are 0."""
        return self._scattered(self.place - self.each(self.length) + width, width).clamp(min=0)

    def _scattered(self, column: Tensor, width: int) -> Tensor:
        """Items in these columns of ``(B, width)``; one column more takes what has no place."""
        column = torch.where(self.present & (column >= 0), column, width)
        rows = self.items.new_zeros(len(self.length), width + 1)
        rows[self.row, column] = self.items
        return rows[:, :width]


def ragged(items: Tensor) -> Ragged:
    """Right-padded histories ``(B, L)``; their padding is absent items, so that no size depends on the content."""
    row, place = torch.meshgrid(*(torch.arange(n, device=items.device) for n in items.shape), indexing="ij")
    return Ragged(items.flatten(), row.flatten(), place.flatten(), (items != 0).sum(1))


def together(parts: Sequence[Ragged]) -> Ragged:
    """Histories each of which is empty in all ``parts`` but one."""
    items, row, place = (torch.cat(column) for column in list(zip(*parts, strict=True))[:3])
    return Ragged(items, row, place, torch.stack([part.length for part in parts]).sum(0))


def one_after_the_other(row: Tensor, items: Tensor, count: int) -> Ragged:
    """Items ``(N,)`` of ``count`` histories, oldest first, with the history of each, ascending, ``(N,)``."""
    length = torch.bincount(row, minlength=count)
    return Ragged(items, row, torch.arange(len(row), device=row.device) - (length.cumsum(0) - length)[row], length)

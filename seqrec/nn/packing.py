"""Packing: keep the valid positions of a padded batch in one row each, so that no work is done on padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

SHORT = 8  # histories of at most this many items are not told apart further


class Packing:
    """The valid positions of a ``(B, L)`` batch, N of them, longest history first.

    Args:
        valid: ``(B, L)`` bool, True at items, padding on the right.

    Attributes:
        order: ``(B,)`` rows of the batch, longest first.
        newest: ``(B,)`` places among the packed ones of each history's newest item, longest history first.
    """

    def __init__(self, valid: Tensor) -> None:
        self.valid = valid
        length = valid.sum(1)
        if valid.is_cuda:  # one launch beats less work there
            self.order, self.groups = torch.arange(len(valid), device=valid.device), [(len(valid), valid.shape[1])]
        else:
            self.order = torch.argsort(length, descending=True, stable=True)
            self.groups = _groups(length[self.order].tolist())
        column = torch.arange(valid.shape[1], device=valid.device)
        place = self.order[:, None] * valid.shape[1] + column
        self.index = place[valid[self.order]]
        self.newest = length[self.order].cumsum(0) - 1

    def pack(self, x: Tensor) -> Tensor:
        """``(B, L, ...)`` -> ``(N, ...)``."""
        return x.flatten(0, 1).index_select(0, self.index)

    def unpack(self, x: Tensor) -> Tensor:
        """``(N, ...)`` -> ``(B, L, ...)``, zero at padding."""
        empty = x.new_zeros(self.valid.numel(), *x.shape[1:])
        return empty.index_copy(0, self.index, x).unflatten(0, self.valid.shape)

    def in_batch_order(self, x: Tensor) -> Tensor:
        """``(B, ...)``, longest history first -> ``(B, ...)`` in the order of the batch."""
        return torch.empty_like(x).index_copy(0, self.order, x)

    def by_length(self, function: Callable[[Tensor, Tensor], Tensor], x: Tensor) -> Tensor:
        """Apply a function of padded rows to rows of similar length at a time.

        Args:
            function: ``(b, l, ...)`` and their validity ``(b, l)`` to ``(b, l, ...)``.
            x: ``(N, ...)``.

        Returns:
            Packed results ``(N, ...)``; the same as on the whole padded batch, with less padding.
        """
        results = [
            function(padded, valid).flatten(0, 1).index_select(0, place) for padded, valid, place, _ in self._parts(x)
        ]
        return torch.cat(results)

    def newest_by_length(
        self, function: Callable[[Tensor, Tensor, Tensor], Tensor], query: Tensor, x: Tensor
    ) -> Tensor:
        """As :meth:`by_length`, for a function with one query a history.

        Args:
            function: queries ``(b, ...)``, ``(b, l, ...)`` and validity ``(b, l)`` to ``(b, ...)``.
            query: ``(B, ...)``, longest history first.
            x: ``(N, ...)``.

        Returns:
            ``(B, ...)``, longest history first.
        """
        return torch.cat([function(query[rows], padded, valid) for padded, valid, _, rows in self._parts(x)])

    def _parts(self, x: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor, slice]]:
        """For each group: its padded part of ``x``, the validity, places of valid positions, and its rows."""
        rows = [size for size, _ in self.groups]
        validity = [
            self.valid[order, :width] for order, (_, width) in zip(self.order.split(rows), self.groups, strict=True)
        ]
        places = [torch.nonzero(valid.flatten()).flatten() for valid in validity]
        parts = x.split([len(place) for place in places])  # one gradient for all parts, as slices would not have
        first = 0
        for valid, place, part in zip(validity, places, parts, strict=True):
            empty = x.new_zeros(valid.numel(), *x.shape[1:])
            padded = empty.index_copy(0, place, part).unflatten(0, valid.shape)
            yield padded, valid, place, slice(first, first + len(valid))
            first += len(valid)


def _groups(lengths: list[int]) -> list[tuple[int, int]]:
    """Rows and width of each group of descending ``lengths``; a group ends where a length is half of its first."""
    groups: list[tuple[int, int]] = []
    first = 0
    for row, length in enumerate(lengths):
        if length * 2 <= lengths[first] and lengths[first] > SHORT:
            groups.append((row - first, lengths[first]))
            first = row
    return [*groups, (len(lengths) - first, lengths[first])]

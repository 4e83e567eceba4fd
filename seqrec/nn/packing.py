"""Packing: the positions of a padded batch as rows of one matrix, in one of two forms.

On the CPU only the valid ones, so that no work is done on padding. On a GPU all of them, so that no shape depends on
the lengths: asking for those would let the host wait for the device, and some padding costs less than that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

SHORT = 8  # a group whose longest history has at most this many items is not divided further
WIDE = 64  # pairs of fewer positions cost less than more calls
RATIO = 2.0  # between the longest and the shortest history of a group, at most


class Packing:
    """The valid positions of a ``(B, L)`` batch, N of them, longest history first.

    Args:
        valid: ``(B, L)`` bool, True at items, padding on the right.
        ratio, short: a group of similar lengths ends where a length times ``ratio`` is at most its longest, unless that
            one is at most ``short``; finer groups are for functions that lose more on padding than on more calls.

    Attributes:
        full: packing is a change of shape.
        order: ``(B,)`` rows of the batch, longest first.
        groups: number of rows and width of each group of similar lengths, in that order.
        index: ``(N,)`` places of the packed positions in the flattened batch.
        newest: ``(B,)`` places among the packed ones of each history's newest item, longest history first.
        lengths: of the histories, longest first; not set where ``full``.
    """

    valid: Tensor
    full: bool
    lengths: list[int]
    order: Tensor
    groups: list[tuple[int, int]]
    index: Tensor
    newest: Tensor

    def __init__(self, valid: Tensor, ratio: float = RATIO, short: int = SHORT) -> None:
        self.valid = valid
        rows, width = valid.shape
        self.full = bool(valid.all())
        if self.full:
            self.order, self.groups = torch.arange(rows, device=valid.device), [(rows, width)]
            index = torch.arange(valid.numel(), device=valid.device)
            self.index, self.newest = index, self.order * width + width - 1
            return
        length = valid.sum(1)
        self.order = torch.argsort(length, descending=True, stable=True)
        self.lengths = length[self.order].tolist()
        self.groups = _groups(self.lengths, ratio, short)
        place = self.order[:, None] * width + torch.arange(width, device=valid.device)
        self.index = place[valid[self.order]]
        self.newest = length[self.order].cumsum(0) - 1

    @staticmethod
    def of(valid: Tensor, ratio: float = RATIO, short: int = SHORT) -> Packing:
        """The packing of a batch in the form that is in use, see :func:`form_for`; arguments of the class."""
        return form_for(valid)(valid, ratio, short)

    def pack(self, x: Tensor) -> Tensor:
        """``(B, L, ...)`` -> ``(N, ...)``."""
        x = x.flatten(0, 1)
        return x if self.full else x.index_select(0, self.index)

    def unpack(self, x: Tensor) -> Tensor:
        """``(N, ...)`` -> ``(B, L, ...)``, zero at padding."""
        if self.full:
            return x.unflatten(0, self.valid.shape)
        empty = x.new_zeros(self.valid.numel(), *x.shape[1:])
        return empty.index_copy(0, self.index, x).unflatten(0, self.valid.shape)

    def places(self, chosen: Tensor) -> Tensor:
        """Places among the packed positions of those where ``chosen`` ``(B, L)`` is True, in the order of the batch."""
        # Entries at padding stay unset; padding is never chosen.
        place = torch.empty_like(self.valid, dtype=torch.int64).flatten()
        place[self.index] = torch.arange(self.index.shape[0], device=place.device)
        return place[chosen.flatten()]

    def in_batch_order(self, x: Tensor) -> Tensor:
        """``(B, ...)``, longest history first -> ``(B, ...)`` in the order of the batch."""
        return torch.empty_like(x).index_copy(0, self.order, x)

    def by_length(
        self,
        function: Callable[[Tensor, Tensor], Tensor],
        x: Tensor,
        most_pairs: int | None = None,
        ratio: float | None = None,
    ) -> Tensor:
        """Apply a function of padded rows to rows of similar length at a time.

        Args:
            function: ``(b, l, ...)`` and their validity ``(b, l)`` to ``(b, l, ...)``.
            x: ``(N, ...)``.
            most_pairs: b * l * l is at most this, but b at least 1, for a function that works on pairs of positions.
            ratio: of the lengths in a group wider than WIDE, see the class; None: that of this packing.

        Returns:
            Packed results ``(N, ...)``; the same as on the whole padded batch, with less padding.
        """
        groups = self.groups if ratio is None or self.full else self._closer(ratio)
        groups = groups if most_pairs is None else _divided(groups, most_pairs)
        if self.full and len(groups) == 1:
            return function(x.unflatten(0, self.valid.shape), self.valid).flatten(0, 1)
        results = []
        for padded, valid, place, _ in self._parts(x, groups):
            made = function(padded, valid).flatten(0, 1)
            results.append(made if place.shape == made.shape[:1] else made.index_select(0, place))
        return torch.cat(results)

    def _closer(self, ratio: float) -> list[tuple[int, int]]:
        """The groups, of which those that are wider than WIDE are divided further."""
        groups: list[tuple[int, int]] = []
        first = 0
        for size, _ in self.groups:
            groups += _groups(self.lengths[first : first + size], ratio, WIDE)
            first += size
        return groups

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
        if self.full:
            return function(query, x.unflatten(0, self.valid.shape), self.valid)
        return torch.cat(
            [function(query[rows], padded, valid) for padded, valid, _, rows in self._parts(x, self.groups)]
        )

    def _parts(self, x: Tensor, groups: list[tuple[int, int]]) -> Iterator[tuple[Tensor, Tensor, Tensor, slice]]:
        """For each group: its padded part of ``x``, the validity, places of valid positions, and its rows."""
        # Rows are sorted by length, so a group is a run of rows, padded to its first (longest) one only.
        rows = [size for size, _ in groups]
        validity = [self.valid[order, :width] for order, (_, width) in zip(self.order.split(rows), groups, strict=True)]
        places = [torch.nonzero(valid.flatten()).flatten() for valid in validity]
        # One split has one gradient, in one piece. A slice for each group would have a gradient of all of x each, and
        # the backward pass would add as many of them up as there are groups.
        parts = x.split([place.shape[0] for place in places])
        first = 0
        for valid, place, part in zip(validity, places, parts, strict=True):
            if part.shape[0] < valid.numel():
                part = x.new_zeros(valid.numel(), *x.shape[1:]).index_copy(0, place, part)
            yield part.unflatten(0, valid.shape), valid, place, slice(first, first + valid.shape[0])
            first += valid.shape[0]


class DensePacking(Packing):
    """All N = B * L positions of a ``(B, L)`` batch, in its order and in one group.

    Nothing is moved and nothing waits for the lengths. Padding has values too, which mean nothing: whoever mixes packed
    positions, or takes their mean, must ask :func:`counted`.

    Args:
        valid: ``(B, L)`` bool, True at items, padding on the right; no row is empty.
        ratio, short: of no effect, as there is one group.
    """

    def __init__(self, valid: Tensor, ratio: float = RATIO, short: int = SHORT) -> None:
        rows, width = valid.shape
        self.valid, self.full, self.groups = valid, True, [(rows, width)]
        self._newest: Tensor | None = None

    @property
    def order(self) -> Tensor:  # type: ignore[override]
        """``(B,)``, that of the batch."""
        return torch.arange(self.valid.shape[0], device=self.valid.device)

    @property
    def index(self) -> Tensor:  # type: ignore[override]
        """``(B * L,)``, all places."""
        return torch.arange(self.valid.numel(), device=self.valid.device)

    @property
    def newest(self) -> Tensor:  # type: ignore[override]
        """``(B,)``, see :class:`Packing`."""
        if self._newest is None:
            rows, width = self.valid.shape
            self._newest = torch.arange(-1, (rows - 1) * width, width, device=self.valid.device) + self.valid.sum(1)
        return self._newest

    def unpack(self, x: Tensor) -> Tensor:
        """See :meth:`Packing.unpack`."""
        padded = x.unflatten(0, self.valid.shape)
        return padded * self.valid.view(*self.valid.shape, *[1] * (padded.dim() - 2))

    def in_batch_order(self, x: Tensor) -> Tensor:
        """``(B, ...)``, unchanged."""
        return x

    def by_length(
        self,
        function: Callable[[Tensor, Tensor], Tensor],
        x: Tensor,
        most_pairs: int | None = None,
        ratio: float | None = None,
    ) -> Tensor:
        """See :meth:`Packing.by_length`; all rows at a time, whatever ``most_pairs`` and ``ratio`` are."""
        return super().by_length(function, x)


_form: ContextVar[type[Packing] | None] = ContextVar("_form", default=None)


def form_for(x: Tensor) -> type[Packing]:
    """The form of packings of what ``x`` belongs to.

    Dense on a GPU and in what is compiled, else that of :func:`packed_as`, if any.
    """
    if torch.compiler.is_compiling():
        return DensePacking
    return _form.get() or (DensePacking if x.is_cuda else Packing)


def static_shapes(x: Tensor) -> bool:
    """Whether no shape may depend on what tensors hold, where ``x`` is: where packings are dense."""
    return form_for(x) is DensePacking


def counted(valid: Tensor) -> Tensor | None:
    """Which packed positions ``(N,)`` of a batch are items, as bool; None where all are.

    Args:
        valid: ``(B, L)`` bool.
    """
    return valid.flatten() if static_shapes(valid) else None


@contextmanager
def packed_as(form: type[Packing]) -> Iterator[None]:
    """Within the block all packings are of this form."""
    token = _form.set(form)
    try:
        yield
    finally:
        _form.reset(token)


def _groups(lengths: list[int], ratio: float, short: int) -> list[tuple[int, int]]:
    """Rows and width of each group of descending ``lengths``.

    With ratio 2, less than half of a group is padding. Very short histories stay together: dividing them saves less
    than another call costs.
    """
    groups: list[tuple[int, int]] = []
    first = 0
    for row, length in enumerate(lengths):
        if length * ratio <= lengths[first] and lengths[first] > short:
            groups.append((row - first, lengths[first]))
            first = row
    return [*groups, (len(lengths) - first, lengths[first])]


def _divided(groups: list[tuple[int, int]], most_pairs: int) -> list[tuple[int, int]]:
    """The same rows in groups of at most so many pairs of positions, but of one row at least.

    The matrices of pairs are then small enough that the next group takes the memory, and the cache, of the last one.
    """
    divided: list[tuple[int, int]] = []
    for size, width in groups:
        step = max(1, most_pairs // width**2)
        divided += [(min(step, size - first), width) for first in range(0, size, step)]
    return divided

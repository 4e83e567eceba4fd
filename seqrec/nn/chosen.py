"""Chosen: the positions of a padded batch that a loss is about, in a form whose shapes need no answer from a GPU.

On the CPU they are a boolean mask. On a GPU a mask would let the host wait for the number of its True entries; there
they are indices, as many as the host knows to be enough, and what is too much has weight 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seqrec.nn.packing import DensePacking, Packing, static_shapes

STEP = 256  # numbers of positions are rounded up to a multiple: few sizes, so that few graphs are compiled


class Chosen:
    """Chosen positions of a ``(B, L)`` batch, M of them, in its order.

    Args:
        mask: ``(B, L)`` bool.

    Attributes:
        exist: ``(M,)`` bool, which of them there are; None where all M.
    """

    exist: Tensor | None = None

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def of(self, x: Tensor) -> Tensor:
        """What is at these positions: ``(B, L, ...)`` -> ``(M, ...)``; where there is none, something that fits."""
        return x[self.mask]

    @property
    def places(self) -> Tensor:
        """Where they are in the flattened batch, ``(M,)``."""
        return self.mask.flatten().nonzero()[:, 0]

    def put(self, x: Tensor, values: Tensor) -> Tensor:
        """``x`` ``(B, L, ...)`` with ``values`` ``(M, ...)`` at these positions."""
        return x.index_put((self.mask,), values)

    def add(self, x: Tensor, values: Tensor) -> Tensor:
        """``x`` ``(B, L, ...)`` plus ``values`` ``(M, ...)`` at these positions."""
        return x.index_put((self.mask,), values, accumulate=True)

    def weighed(self, weight: Tensor) -> Tensor:
        """As :meth:`of`, of weights ``(B, L)``: 0 where there is none."""
        found = self.of(weight)
        return found if self.exist is None else found * self.exist

    @property
    def weight(self) -> Tensor | None:
        """Weights ``(M,)`` of the mean over those that exist; None where they are all the same."""
        return None if self.exist is None else self.exist / self.number.clamp(min=1)

    @property
    def number(self) -> Tensor:
        """How many exist, a scalar."""
        return self.mask.sum()


class ChosenByIndex(Chosen):
    """See :class:`Chosen`; M is given, and no shape depends on what the mask holds.

    Args:
        mask: ``(B, L)`` bool.
        size: M, at least the number of True entries.
    """

    exist: Tensor

    def __init__(self, mask: Tensor, size: int) -> None:
        super().__init__(mask)
        nowhere = mask.numel()
        self.found = torch.nonzero_static(mask.flatten(), size=size, fill_value=nowhere)[:, 0]
        self.exist = self.found < nowhere
        # Where there is none the first stands in: what is there is fit for every loss, and weighs nothing.
        self.index = torch.where(self.exist, self.found, self.found[:1]).clamp(max=nowhere - 1)

    def of(self, x: Tensor) -> Tensor:
        """See :meth:`Chosen.of`."""
        return x.flatten(0, 1).index_select(0, self.index)

    @property
    def places(self) -> Tensor:
        """See :attr:`Chosen.places`."""
        return self.index

    def put(self, x: Tensor, values: Tensor) -> Tensor:
        """See :meth:`Chosen.put`."""
        rest = x.flatten(0, 1)
        # A row more takes what is too much.
        return torch.cat([rest, rest[:1]]).index_copy(0, self.found, values)[:-1].view_as(x)

    def add(self, x: Tensor, values: Tensor) -> Tensor:
        """See :meth:`Chosen.add`."""
        values = values * self.exist.view(-1, *[1] * (values.dim() - 1))
        return x.flatten(0, 1).index_add(0, self.index, values).view_as(x)


class AllPositions(Chosen):
    """See :class:`Chosen`; M = B * L, for what costs less than to look for those that exist."""

    exist: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask)
        self.exist = mask.flatten()

    def of(self, x: Tensor) -> Tensor:
        """See :meth:`Chosen.of`."""
        return x.flatten(0, 1)

    @property
    def places(self) -> Tensor:
        """See :attr:`Chosen.places`."""
        return torch.arange(self.mask.numel(), device=self.mask.device)

    def put(self, x: Tensor, values: Tensor) -> Tensor:
        """See :meth:`Chosen.put`."""
        return torch.where(self._like(x), values.view_as(x), x)

    def add(self, x: Tensor, values: Tensor) -> Tensor:
        """See :meth:`Chosen.add`."""
        return x + values.view_as(x) * self._like(x)

    def _like(self, x: Tensor) -> Tensor:
        return self.mask.view(*self.mask.shape, *[1] * (x.dim() - 2))


def choose(mask: Tensor, most: int | None = None, step: int = STEP) -> Chosen:
    """The positions where ``mask`` ``(B, L)`` is True, in the form that is in use where it is.

    Args:
        mask: bool.
        most: as many as there can be, where that is worth looking for them; None: M = B * L.
        step: that number is rounded up to a multiple of it.
    """
    if not static_shapes(mask):
        return Chosen(mask)
    if most is None:
        return AllPositions(mask)
    return ChosenByIndex(mask, min(mask.shape[0] * mask.shape[1], -(-most // step) * step))


def states_at(states: Tensor, packing: Packing, chosen: Chosen) -> Tensor:
    """Packed states ``(N, D)`` -> ``(M, D)`` at chosen positions."""
    if isinstance(packing, DensePacking):
        return chosen.of(states.unflatten(0, packing.valid.shape))
    return states.index_select(0, packing.places(chosen.mask))


def weight_of_all(*parts: Chosen) -> Tensor | None:
    """Weights of the mean over the positions of several parts, one after the other; see :attr:`Chosen.weight`."""
    exist = [part.exist for part in parts if part.exist is not None]
    if len(exist) < len(parts):
        return None
    together = torch.cat(exist)
    return together / together.sum().clamp(min=1)

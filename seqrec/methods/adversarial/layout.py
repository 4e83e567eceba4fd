"""Layouts: how the histories of a batch lie in the tensors that ECL-SR and ELECRec learn from.

Shapes: B histories, L the longest of them, W columns of the layout.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.data.batch import Batch
from seqrec.functional.keyed_random import uniform
from seqrec.functional.left_padding import from_newest, left_padded
from seqrec.functional.pooling import newest_mean
from seqrec.nn.trunk import TransformerTrunk
from seqrec.nn.window_trunk import window_states


class Layout(nn.Module, ABC):
    """Arranges histories and encodes them; without parameters or buffers.

    Attributes:
        first_class: item id that is the first class of a softmax: 1, or 0 where padding is a class as well.
    """

    first_class: int

    @abstractmethod
    def arrange(self, x: Tensor, valid: Tensor) -> Tensor:
        """What belongs to each position of right-padded histories ``(B, L)``, in this layout: ``(B, W)``."""

    @abstractmethod
    def supervised(self, batch: Batch) -> Tensor:
        """The positions ``(B, W)``, bool, whose next item the training windows let a model learn."""

    @abstractmethod
    def most_supervised(self, batch: Batch) -> int:
        """How many positions :meth:`supervised` can have."""

    @abstractmethod
    def following(self, batch: Batch) -> Tensor:
        """The item after each position that has a state, ``(B, W)``; the target follows the newest item."""

    @abstractmethod
    def most_filled(self, items: Tensor, ratio: float) -> int:
        """How many hidden items of each of the histories ``(B, L)`` a generator fills in; others stay hidden."""

    @abstractmethod
    def draws(self, rng_keys: Tensor, items: Tensor) -> Tensor:
        """Uniform numbers ``(B, W)`` in [0, 1) of rng_keys ``(B,)``, counted from the newest of arranged items."""

    @abstractmethod
    def encode(self, trunk: TransformerTrunk, x: Tensor, valid: Tensor, wanted: Tensor | None = None) -> Tensor:
        """States ``(B, W, D)`` of embedded items ``(B, W, D)``.

        Args:
            trunk: the network.
            x: embedded, arranged items.
            valid: ``(B, W)`` bool, False at padding.
            wanted: ``(B, W)`` bool, where the states are needed; None needs all.
        """

    @abstractmethod
    def newest_mean(self, states: Tensor, valid: Tensor, window: int) -> Tensor:
        """Mean ``(B, D)`` of the newest ``window`` states of ``(B, W, D)``."""


class RightPadded(Layout):
    """Histories as a batch has them, W = L: padding has no state and is left out of all losses."""

    first_class = 1

    def arrange(self, x: Tensor, valid: Tensor) -> Tensor:
        """As it is."""
        return x

    def supervised(self, batch: Batch) -> Tensor:
        """The supervised positions of the batch."""
        return batch.next_items != 0

    def most_supervised(self, batch: Batch) -> int:
        """Those of the batch."""
        return batch.counts.supervised

    def following(self, batch: Batch) -> Tensor:
        """0 at padding."""
        valid = batch.items != 0
        next_items = torch.where(from_newest(valid) == 0, batch.target[:, None], F.pad(batch.items[:, 1:], (0, 1)))
        return next_items * valid

    def most_filled(self, items: Tensor, ratio: float) -> int:
        """All."""
        return items.shape[1]

    def draws(self, rng_keys: Tensor, items: Tensor) -> Tensor:
        """See :meth:`Layout.draws`; trimming changes no draw."""
        return uniform(rng_keys, items.shape[1]).gather(1, from_newest(items != 0))

    def encode(self, trunk: TransformerTrunk, x: Tensor, valid: Tensor, wanted: Tensor | None = None) -> Tensor:
        """All states, 0 at padding: the trunk itself."""
        states: Tensor = trunk(x, valid)
        return states

    def newest_mean(self, states: Tensor, valid: Tensor, window: int) -> Tensor:
        """Of shorter histories, the mean of what there is."""
        return newest_mean(states, valid, window)


class LeftPaddedWindows(Layout):
    """Whole windows of W columns, padded on the left, as released: padding has states, and takes part in the losses.

    Args:
        width: W, the trunk's ``max_length``.
    """

    first_class = 0

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def extra_repr(self) -> str:
        """The width."""
        return f"width={self.width}"

    def arrange(self, x: Tensor, valid: Tensor) -> Tensor:
        """The newest in the last column, 0 or False in front.

        Raises:
            ValueError: a history is longer than the window.
        """
        return left_padded(x, valid, self.width)

    def supervised(self, batch: Batch) -> Tensor:
        """All positions, padding too; the newest alone if the batch has no other supervised position."""
        newest = torch.arange(self.width, device=batch.items.device) == self.width - 1
        every = self.most_supervised(batch) > len(batch.items)
        return (newest | every).expand(len(batch.items), self.width)

    def most_supervised(self, batch: Batch) -> int:
        """All, or one in each history."""
        rows = len(batch.items)
        return rows * self.width if batch.counts.supervised > rows else rows

    def following(self, batch: Batch) -> Tensor:
        """Padding follows padding, and the oldest item the last padding."""
        items = self.arrange(batch.items, batch.items != 0)
        return torch.cat([items[:, 1:], batch.target[:, None]], 1)

    def most_filled(self, items: Tensor, ratio: float) -> int:
        """``int(ratio * W)``, however short the history."""
        return int(ratio * self.width)

    def draws(self, rng_keys: Tensor, items: Tensor) -> Tensor:
        """See :meth:`Layout.draws`; padding has draws too."""
        return uniform(rng_keys, self.width).flip(1)

    def encode(self, trunk: TransformerTrunk, x: Tensor, valid: Tensor, wanted: Tensor | None = None) -> Tensor:
        """See :func:`seqrec.nn.window_trunk.window_states`; where states are not wanted they mean nothing."""
        return window_states(trunk, x, valid, wanted)

    def newest_mean(self, states: Tensor, valid: Tensor, window: int) -> Tensor:
        """The mean of the last columns, padding or not."""
        return states[:, -window:].mean(1)

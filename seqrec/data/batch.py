"""The types that everything passes around: histories to score, batches to learn from, batches to rank."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Histories(NamedTuple):
    """What a model scores: B histories, padded on the right with 0 to the longest of them (L columns).

    Attributes:
        items: ``(B, L)`` int64, ids ``1..I``, oldest item first.
        user: ``(B,)`` int64, user index, 0-based; None where the users are unknown.
    """

    items: Tensor
    user: Tensor | None = None

    def part(self, rows: slice) -> Histories:
        """The histories of some rows, of the same width."""
        return Histories(self.items[rows], None if self.user is None else self.user[rows])


class Counts(NamedTuple):
    """Numbers of a batch that are known where it is made; a GPU would have to be waited for.

    Attributes:
        items: in all histories together.
        supervised: positions that learn an item.
    """

    items: int
    supervised: int


class Batch(NamedTuple):
    """A batch of B histories to learn from, padded on the right with 0 to the longest of them (L columns).

    Attributes:
        row: ``(B,)`` int64, number of the window; random draws are seeded by it.
        user: ``(B,)`` int64, user index, 0-based.
        items: ``(B, L)`` int64, history, oldest item first.
        target: ``(B,)`` int64, the item after the history.
        next_items: ``(B, L)`` int64, the item to predict at each position, 0 where nothing is learnt.
        known: see :attr:`counts`; None where nobody has counted.
    """

    row: Tensor
    user: Tensor
    items: Tensor
    target: Tensor
    next_items: Tensor
    known: Counts | None = None

    @property
    def counts(self) -> Counts:
        """How many items and supervised positions there are."""
        return self.known or Counts(*(int((some != 0).sum()) for some in (self.items, self.next_items)))

    @property
    def histories(self) -> Histories:
        """What a model may see of the batch when it scores."""
        return Histories(self.items, self.user)


class RankedBatch(NamedTuple):
    """A batch of B evaluated histories.

    Attributes:
        row: ``(B,)`` int64, number of the window.
        histories: what the model scores.
        target: ``(B,)`` int64, the item to rank.
        seen: ``(row in the batch, item)`` pairs of the *whole* histories, ``(n,)`` each, which a protocol that removes
            seen items takes out of the ranking; None where they were not asked for.
    """

    row: Tensor
    histories: Histories
    target: Tensor
    seen: tuple[Tensor, Tensor] | None

"""Windows: training and evaluation examples as index ranges over one flat array of items.

A leave-one-out split, every prefix of every history, non-overlapping pieces of long histories: all are other
``(user, start, stop)`` triples on the same :class:`Sequences`, 24 bytes an example. Batches are one gather.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from seqrec.data.batch import Batch
from seqrec.data.sequences import HELD_OUT, Sequences


@dataclass(frozen=True)
class Windows:
    """Examples on one flat array: the history is ``items[start:stop]``, the target ``items[stop]``.

    Attributes:
        sequences: the histories, shared by every set of windows.
        user, start, stop: ``(N,)`` int64; start and stop are positions in ``sequences.items``.
        all_positions: learn at each position of the history (its next item) or at the newest only.
    """

    sequences: Sequences
    user: Tensor
    start: Tensor
    stop: Tensor
    all_positions: bool

    def __len__(self) -> int:
        return len(self.user)

    @property
    def lengths(self) -> Tensor:
        """History length of each window, ``(N,)``."""
        return self.stop - self.start

    def batch(self, rows: Tensor, max_length: int) -> Batch:
        """Gather windows ``rows`` ``(B,)``, each cut to its newest ``max_length`` items, L = the longest."""
        stop = self.stop[rows]
        start = torch.maximum(self.start[rows], stop - max_length)
        length = stop - start
        column = torch.arange(int(length.max()) if len(rows) else 0)
        valid = column < length[:, None]
        # Padding reads the target's cell, which always exists, and is zeroed.
        place = torch.where(valid, start[:, None] + column, stop[:, None])
        items = self.sequences.items[place].long() * valid
        target = self.sequences.items[stop].long()
        learnt = valid if self.all_positions else column == (length - 1)[:, None]
        following = torch.where(valid, place + 1, place)
        next_items = self.sequences.items[following].long() * learnt
        return Batch(rows, self.user[rows], items, target, next_items)

    def seen(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """``(row in the batch, item)`` pairs of the *whole* history of windows ``rows``, before their target."""
        user = self.user[rows]
        start, stop = self.sequences.offsets[user], self.stop[rows]
        count = stop - start
        row = torch.repeat_interleave(torch.arange(len(rows)), count)
        within = torch.arange(len(row)) - torch.repeat_interleave(count.cumsum(0) - count, count)
        return row, self.sequences.items[start[row] + within].long()


def _pairs(sequences: Sequences) -> tuple[Tensor, Tensor, Tensor]:
    """Users with a training pair, and where their training part starts and ends (exclusive)."""
    start = sequences.offsets[:-1]
    end = sequences.training_end()
    user = torch.nonzero(end - start >= 2).flatten()
    return user, start[user], end[user]


def held_out(sequences: Sequences, from_end: int) -> Windows:
    """Leave-one-out: the target is the last item (``from_end=1``, test) or the one before it (2, validation).

    Users with fewer than 3 interactions have no training item left and are not evaluated.
    """
    user = torch.nonzero(sequences.lengths > HELD_OUT).flatten()
    return Windows(sequences, user, sequences.offsets[user], sequences.offsets[user + 1] - from_end, all_positions=True)


WindowRule = Callable[[Sequences, int, torch.Generator], Windows]
"""Training windows of ``(sequences, max_length, generator of this epoch)``; the last two items are left out."""


def last_window(sequences: Sequences, max_length: int, generator: torch.Generator) -> Windows:
    """One window a user: the newest ``max_length`` training inputs, learnt at every position."""
    user, start, end = _pairs(sequences)
    return Windows(sequences, user, torch.maximum(start, end - 1 - max_length), end - 1, all_positions=True)


def prefixes(sequences: Sequences, max_length: int, generator: torch.Generator) -> Windows:
    """Each training item but the first as the target of all that precedes it, learnt at the newest position."""
    user, start, end = _pairs(sequences)
    count = end - start - 1
    owner = torch.repeat_interleave(torch.arange(len(user)), count)
    within = torch.arange(len(owner)) - torch.repeat_interleave(count.cumsum(0) - count, count)
    return Windows(sequences, user[owner], start[owner], start[owner] + 1 + within, all_positions=False)


def interactions(sequences: Sequences, max_length: int, generator: torch.Generator) -> Windows:
    """Each training item, the first ones too, as a target without a history: for models that know no order."""
    count = (sequences.lengths - HELD_OUT).clamp(min=0)
    user = torch.repeat_interleave(torch.arange(sequences.num_users), count)
    place = sequences.offsets[user] + torch.arange(len(user)) - (count.cumsum(0) - count)[user]
    return Windows(sequences, user, place, place, all_positions=False)


def non_overlapping(sequences: Sequences, max_length: int, generator: torch.Generator) -> Windows:
    """The whole training part in pieces of ``max_length`` inputs, counted from the newest; all positions."""
    user, start, end = _pairs(sequences)
    return _pieces(sequences, max_length, user, start, end - 1, torch.zeros_like(user))


def random_cut(sequences: Sequences, max_length: int, generator: torch.Generator) -> Windows:
    """As :func:`non_overlapping`, but long histories are cut at a random place that changes each epoch.

    Fixed cuts would always leave the same positions without a history.
    """
    user, start, end = _pairs(sequences)
    shift = torch.randint(max_length, (len(user),), generator=generator)
    shift = shift * (end - 1 - start > max_length)
    return _pieces(sequences, max_length, user, start, end - 1, shift)


def whole(sequences: Sequences, max_length: int, generator: torch.Generator) -> Windows:
    """LRURec's: pieces that hold exactly ``max_length`` items with their target, counted from the newest.

    What is left at the oldest end is dropped. A training part shorter than two pieces is one window, with as
    many inputs as fit.
    """
    user, start, end = _pairs(sequences)
    length, size = end - start, max(2, max_length)  # an input and its target at least
    count = torch.where(length < 2 * size, 1, length // size)
    owner = torch.repeat_interleave(torch.arange(len(user)), count)
    k = torch.arange(len(owner)) - torch.repeat_interleave(count.cumsum(0) - count, count)
    stop = end[owner] - 1 - k * size
    inputs = torch.where(count[owner] > 1, size - 1, max_length)
    return Windows(sequences, user[owner], torch.maximum(start[owner], stop - inputs), stop, all_positions=True)


def sliding(sequences: Sequences, max_length: int, generator: torch.Generator, step: int) -> Windows:
    """CBiT's: all pieces of ``max_length`` items with their target that end ``step`` items apart, newest first.

    The last of them is the oldest piece, whatever the step leaves over; a shorter training part is one window.
    """
    if step < 1:
        raise ValueError(f"step is {step}; windows must move by at least 1 item")
    user, start, end = _pairs(sequences)
    room = (end - start - max_length).clamp(min=0)
    count = 1 + (room + step - 1) // step
    owner = torch.repeat_interleave(torch.arange(len(user)), count)
    k = torch.arange(len(owner)) - torch.repeat_interleave(count.cumsum(0) - count, count)
    first = start[owner] + (room[owner] - k * step).clamp(min=0)
    stop = torch.minimum(first + max_length, end[owner]) - 1
    return Windows(sequences, user[owner], first, stop, all_positions=False)


def _pieces(sequences: Sequences, size: int, user: Tensor, start: Tensor, stop: Tensor, shift: Tensor) -> Windows:
    """Cut ``[start, stop)`` of each user into pieces that end at ``stop - shift - k * size`` and at ``stop``."""
    count = (stop - start - shift + size - 1) // size + (shift > 0).long()
    owner = torch.repeat_interleave(torch.arange(len(user)), count)
    k = torch.arange(len(owner)) - torch.repeat_interleave(count.cumsum(0) - count, count)
    # With a shift, piece 0 is [stop - shift, stop) and the following ones end where it begins.
    piece_stop = stop[owner] - torch.where(
        shift[owner] > 0, torch.where(k > 0, shift[owner] + (k - 1) * size, 0), k * size
    )
    width = torch.where((k == 0) & (shift[owner] > 0), shift[owner], size)
    return Windows(
        sequences,
        user[owner],
        torch.maximum(start[owner], piece_stop - width),
        piece_stop,
        all_positions=True,
    )

"""Windows: training and evaluation examples as index ranges over one flat array of items.

A leave-one-out split, every prefix of every history, non-overlapping pieces of long histories: each of them is a list
of ``(user, start, stop)`` triples on the same :class:`Sequences`, 24 bytes an example. A batch is one gather.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seqrec.data.batch import Batch, Counts
from seqrec.data.sequences import HELD_OUT, Sequences


@dataclass(frozen=True)
class Windows:
    """Examples on one flat array: the history is ``items[start:stop]``, the target ``items[stop]``.

    Attributes:
        sequences: the histories, shared by every set of windows.
        user, start, stop: ``(N,)`` int64; start and stop are positions in ``sequences.items``.
        all_positions: whether each position of the history is supervised (by its next item), or only the last.
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

    def batch(self, rows: Tensor, max_length: int, width: int | None = None, counts: Counts | None = None) -> Batch:
        """A batch of examples.

        Args:
            rows: ``(B,)`` int64, numbers of windows.
            max_length: newest items of a history to take.
            width: L, at least the longest that is left; None is the longest.
            counts: where they are known. Without them and the width the host waits for windows that are on a GPU.
        """
        start, stop = self._ranges(rows, max_length)
        width = longest(stop - start) if width is None else width
        if counts is None:
            count = int((stop - start).sum())
            counts = Counts(count, count if self.all_positions else len(rows))
        return batch_of(self.sequences.items, rows, self.user[rows], start, stop, width, self.all_positions, counts)

    def histories(self, rows: Tensor, max_length: int, width: int | None = None) -> Tensor:
        """The histories of a batch alone, ``(B, L)``.

        Args:
            rows: ``(B,)`` int64, numbers of windows.
            max_length: newest items of a history to take.
            width: L; None is the longest that is left, for which the host waits where the windows are on a GPU.
        """
        start, stop = self._ranges(rows, max_length)
        return histories_of(self.sequences.items, start, stop, longest(stop - start) if width is None else width)

    def _ranges(self, rows: Tensor, max_length: int) -> tuple[Tensor, Tensor]:
        """Where the newest ``max_length`` items of histories start and stop."""
        stop = self.stop[rows]
        return torch.maximum(self.start[rows], stop - max_length), stop

    def to(self, device: torch.device) -> Windows:
        """The same windows, with what :meth:`batch` and :meth:`histories` need, on a device."""
        user, start, stop, items = (x.to(device) for x in (self.user, self.start, self.stop, self.sequences.items))
        return Windows(replace(self.sequences, items=items), user, start, stop, self.all_positions)

    def seen(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """All items before the target, also those that are cut off or outside of the window.

        Args:
            rows: ``(B,)`` int64, numbers of windows.

        Returns:
            Positions in the batch ``(n,)`` int64 in ``0..B - 1``, and items ``(n,)`` int64: one pair an interaction.
        """
        user = self.user[rows]
        start, stop = self.sequences.offsets[user], self.stop[rows]
        count = stop - start
        row = torch.repeat_interleave(torch.arange(len(rows)), count)
        within = torch.arange(len(row)) - torch.repeat_interleave(count.cumsum(0) - count, count)
        return row, self.sequences.items[start[row] + within].long()


def longest(lengths: Tensor) -> int:
    """The largest of some lengths, 0 of none."""
    return int(lengths.max()) if len(lengths) else 0


def batch_of(
    items: Tensor,
    row: Tensor,
    user: Tensor,
    start: Tensor,
    stop: Tensor,
    width: int,
    all_positions: bool,
    counts: Counts,
) -> Batch:
    """A batch of histories ``items[start:stop]`` and targets ``items[stop]``, in few operators, for a GPU.

    Args:
        items: all of them, one history after the other.
        row, user, start, stop: ``(B,)`` int64.
        width: L, at least the longest history.
        all_positions: see :class:`Windows`.
        counts: of the batch.
    """
    length = (stop - start)[:, None]
    column = torch.arange(width + 1, device=row.device)
    # Histories with their targets. Padding reads the target too, which always exists (start + column may lie past the
    # end of `items`), and is set to 0 by the masks.
    found = items[torch.minimum(start[:, None] + column, stop[:, None])].long()
    valid = column[:-1] < length
    supervised = valid if all_positions else column[1:] == length
    return Batch(row, user, found[:, :-1] * valid, found.gather(1, length)[:, 0], found[:, 1:] * supervised, counts)


def histories_of(items: Tensor, start: Tensor, stop: Tensor, width: int) -> Tensor:
    """The histories of :func:`batch_of` alone, ``(B, L)``."""
    column = torch.arange(width, device=start.device)
    found = items[torch.minimum(start[:, None] + column, stop[:, None])].long()
    return found * (column < (stop - start)[:, None])


def _pairs(sequences: Sequences) -> tuple[Tensor, Tensor, Tensor]:
    """Users with an input and a target to train on, and where their training part starts and ends (exclusive)."""
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
"""Makes the training windows of an epoch from the sequences, ``max_length`` and the epoch's generator.

The last two items of each user are the targets of validation and test, and never part of a training window.
"""


def last_window(sequences: Sequences, max_length: int, generator: torch.Generator) -> Windows:
    """One window a user: the newest ``max_length`` training inputs, supervised at every position."""
    user, start, end = _pairs(sequences)
    return Windows(sequences, user, torch.maximum(start, end - 1 - max_length), end - 1, all_positions=True)


def prefixes(sequences: Sequences, max_length: int, generator: torch.Generator) -> Windows:
    """Prefix expansion: each training item but the first is the target of a window that holds all items before it."""
    user, start, end = _pairs(sequences)
    count = end - start - 1
    owner = torch.repeat_interleave(torch.arange(len(user)), count)
    within = torch.arange(len(owner)) - torch.repeat_interleave(count.cumsum(0) - count, count)
    return Windows(sequences, user[owner], start[owner], start[owner] + 1 + within, all_positions=False)


def interactions(sequences: Sequences, max_length: int, generator: torch.Generator) -> Windows:
    """Each training item, the first ones too, is a target without a history: for models that ignore order."""
    count = (sequences.training_end() - sequences.offsets[:-1]).clamp(min=0)
    user = torch.repeat_interleave(torch.arange(sequences.num_users), count)
    place = sequences.offsets[user] + torch.arange(len(user)) - (count.cumsum(0) - count)[user]
    return Windows(sequences, user, place, place, all_positions=False)


def user_draws(sequences: Sequences, max_length: int, generator: torch.Generator) -> Windows:
    """As many as :func:`interactions`: a user drawn with equal chance and one of the user's items; new each epoch.

    Source: RecBoard's BPR. LearnBPR (Rendle et al., UAI 2009) draws interactions, so that busy users count for more.
    """
    start, count = sequences.offsets[:-1], (sequences.training_end() - sequences.offsets[:-1]).clamp(min=0)
    known = torch.nonzero(count).flatten()
    user = known[torch.randint(max(len(known), 1), (int(count.sum()),), generator=generator)]
    share = torch.rand(len(user), generator=generator, dtype=torch.float64)
    place = start[user] + torch.minimum((share * count[user]).long(), count[user] - 1)
    return Windows(sequences, user, place, place, all_positions=False)


def non_overlapping(sequences: Sequences, max_length: int, generator: torch.Generator) -> Windows:
    """The training part cut into pieces of ``max_length`` inputs from the newest on, supervised at every position."""
    user, start, end = _pairs(sequences)
    return _pieces(sequences, max_length, user, start, end - 1, torch.zeros_like(user))


def random_cut(sequences: Sequences, max_length: int, generator: torch.Generator) -> Windows:
    """As :func:`non_overlapping`, but long histories are cut at a random place that changes each epoch.

    With fixed cuts the same positions would be without a history in every epoch: those that begin a piece.
    """
    user, start, end = _pairs(sequences)
    shift = torch.randint(max_length, (len(user),), generator=generator)
    shift = shift * (end - 1 - start > max_length)  # a history that fits into one piece is not cut
    return _pieces(sequences, max_length, user, start, end - 1, shift)


def full_chunks(sequences: Sequences, max_length: int, generator: torch.Generator) -> Windows:
    """The windows of LRURec's released code: full chunks of ``max_length`` items, inputs and last target together.

    They are counted from the newest item; a remainder at the oldest end, shorter than a chunk, is dropped. A training
    part shorter than two chunks is one window with at most ``max_length`` inputs.
    """
    user, start, end = _pairs(sequences)
    length, size = end - start, max(2, max_length)  # a chunk holds an input and its target at least
    count = torch.where(length < 2 * size, 1, length // size)
    owner = torch.repeat_interleave(torch.arange(len(user)), count)
    k = torch.arange(len(owner)) - torch.repeat_interleave(count.cumsum(0) - count, count)
    stop = end[owner] - 1 - k * size
    # Where there are several, the target is one of the chunk's `size` items; a single window may have one input more.
    inputs = torch.where(count[owner] > 1, size - 1, max_length)
    return Windows(sequences, user[owner], torch.maximum(start[owner], stop - inputs), stop, all_positions=True)


def sliding(sequences: Sequences, max_length: int, generator: torch.Generator, step: int) -> Windows:
    """The sliding windows of CBiT: ``max_length`` items, the target among them, that end ``step`` items apart.

    They are counted from the newest item. The last one begins at the user's first item, so that it may overlap the one
    before it more than the others do. A training part of at most ``max_length`` items is one window.
    """
    if step < 1:
        raise ValueError(f"step is {step}; windows must move by at least 1 item")
    user, start, end = _pairs(sequences)
    room = (end - start - max_length).clamp(min=0)  # how far the newest window can be moved towards the oldest item
    count = 1 + (room + step - 1) // step
    owner = torch.repeat_interleave(torch.arange(len(user)), count)
    k = torch.arange(len(owner)) - torch.repeat_interleave(count.cumsum(0) - count, count)
    first = start[owner] + (room[owner] - k * step).clamp(min=0)  # 0: the last window stops at the first item
    stop = torch.minimum(first + max_length, end[owner]) - 1
    return Windows(sequences, user[owner], first, stop, all_positions=False)


def _pieces(sequences: Sequences, size: int, user: Tensor, start: Tensor, stop: Tensor, shift: Tensor) -> Windows:
    """Cut the inputs ``[start, stop)`` of each user into pieces of ``size``, the oldest one shorter if need be.

    Args:
        sequences: the histories.
        size: inputs of a piece.
        user, start, stop: ``(n,)`` int64, the users and their inputs.
        shift: ``(n,)`` int64, inputs of an additional, newest piece, less than ``size``; 0 for none.
    """
    # From the newest on, where s is the shift:
    #   s = 0:  [stop - size, stop)   [stop - 2 size, stop - size)   ...
    #   s > 0:  [stop - s, stop)      [stop - s - size, stop - s)    ...
    # The count is rounded up: the oldest piece has what is left.
    count = (stop - start - shift + size - 1) // size + (shift > 0).long()
    owner = torch.repeat_interleave(torch.arange(len(user)), count)
    k = torch.arange(len(owner)) - torch.repeat_interleave(count.cumsum(0) - count, count)
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

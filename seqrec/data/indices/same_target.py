"""SameTarget: training windows with the same target, and which of them forms a pair with which.

Two histories that end in the same next item are taken to share an intent (DuoRec, WSDM 2022, section 3.3;
ICSRec, WSDM 2024, section 4.1).
"""

from __future__ import annotations

from copy import copy

import torch
from torch import Tensor

from seqrec.data.windows import Windows

CHUNK = 1 << 14  # windows compared item by item at a time


class SameTarget:
    """The training windows grouped by target; a *row* is the number of a window.

    Attributes:
        rows: ``(N,)`` int64, all rows sorted by target; rows of the same target are in ascending order.
        first, count: ``(N,)`` int64, for each row the position in ``rows`` at which its group starts, and its size.
        place: ``(N,)`` int64, for each row its position in ``rows``.

    Args:
        windows: with one target each, as :func:`seqrec.data.windows.prefixes` makes them.
        max_length: newest items of a history that a model sees; histories that differ only before them are equal.
    """

    def __init__(self, windows: Windows, max_length: int) -> None:
        if windows.all_positions:
            raise ValueError("partners with the same target need one target a window; choose windows=prefixes")
        self.windows, self.max_length = windows, max_length
        target = windows.sequences.items[windows.stop]
        self.rows = torch.argsort(target, stable=True)
        _, group, size = torch.unique_consecutive(target[self.rows], return_inverse=True, return_counts=True)
        self.place = torch.empty_like(self.rows)
        self.place[self.rows] = torch.arange(len(target))
        group = group[self.place]
        self.first, self.count = (size.cumsum(0) - size)[group], size[group]

    def to(self, device: torch.device) -> SameTarget:
        """The same, with what :meth:`random_excluding_self` needs, on a device."""
        moved = copy(self)
        moved.rows, moved.first, moved.count, moved.place = (
            x.to(device) for x in (self.rows, self.first, self.count, self.place)
        )
        return moved

    def last_differing(self) -> Tensor:
        """The partner of each row, ``(N,)``: the last of its group whose truncated history differs from its own.

        A row without such a one is its own partner. This is the rule of ICSRec's and FENRec's released code. It is not
        random: all rows whose history differs from that of the group's last row have this last row as partner.
        """
        last = self.rows[self.first + self.count - 1]
        row = torch.arange(len(last))
        as_last = self._same_history(row, last)
        # The rows that equal the last one have a partner in common, too: the last row that differs from it. It is the
        # maximum of the differing rows of a group, gathered at the group's first position; -1 where there is none.
        differing = torch.full_like(last, -1)
        differing.scatter_reduce_(0, self.first, torch.where(as_last, -1, row), "amax")
        second = differing[self.first]
        return torch.where(as_last, torch.where(second >= 0, second, row), last)

    def random_excluding_self(self, rows: Tensor, uniform: Tensor) -> Tensor:
        """A partner ``(B,)`` of each of ``rows`` ``(B,)``, any other row of its group; itself if it is alone.

        Args:
            rows: numbers of windows.
            uniform: ``(B,)`` draws in [0, 1), one a row, see :func:`seqrec.functional.keyed_random.uniform`.
        """
        others = self.count[rows] - 1
        drawn = (uniform.double() * others).long()
        own = self.place[rows] - self.first[rows]
        # A number among the others of the group: it skips the row's own position. A row alone has drawn 0, itself.
        drawn += (drawn >= own) & (others > 0)
        return self.rows[self.first[rows] + drawn]

    def _same_history(self, one: Tensor, other: Tensor) -> Tensor:
        """Whether the truncated histories of rows ``(n,)`` are those of other rows ``(n,)``, as bool ``(n,)``."""
        windows, items = self.windows, self.windows.sequences.items
        length = windows.lengths.clamp(max=self.max_length)
        newest = items[windows.stop - 1]
        # Most pairs differ in length or in the newest item; only the others are compared item by item.
        same = (length[one] == length[other]) & (newest[one] == newest[other])
        for part in torch.nonzero(same).flatten().split(CHUNK):
            a, b = (windows.batch(rows[part], self.max_length).items for rows in (one, other))
            same[part] = (a == b).all(1)
        return same

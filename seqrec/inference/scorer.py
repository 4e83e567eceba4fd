"""Scorer: the stored model of a run, which scores histories of items, and the raw ids behind its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from seqrec.data.batch import Histories
from seqrec.methods.evaluation import Seen, top_items
from seqrec.methods.ranker import Ranker
from seqrec.runs.catalog import Catalog, Numbers, read_catalog, read_users


class Scorer:
    """A trained model that only scores; made by :func:`seqrec.inference.load`.

    Args:
        model: with its weights; it is put into evaluation mode.
        folder: of the run.
        max_length: newest items of a history that the model sees.
        name: of the model, as given with ``model=``.
    """

    def __init__(self, model: Ranker, folder: Path, max_length: int, name: str) -> None:
        # Weights still require gradients, as in evaluation: torch multiplies by others in another order of summation.
        self.model = model.eval()
        self.folder, self.max_length, self.name = folder, max_length, name
        self.num_items = model.backbone.num_items
        with torch.no_grad():
            self.model.hold()

    @cached_property
    def catalog(self) -> Catalog:
        """Raw ids of the items and their numbers 1..I.

        Raises:
            ValueError: a run of an older version, which does not know them.
        """
        return read_catalog(self.folder)

    @cached_property
    def users(self) -> Numbers:
        """Raw ids of the users and their numbers 0..U-1, of models that know users.

        Raises:
            ValueError: the model knows none, or the run is of an older version.
        """
        if not self.model.knows_users:
            raise ValueError(f"{self.folder}: {type(self.model).__name__} knows no users; leave them out")
        return read_users(self.folder)

    def histories(self, items: Iterable[Sequence[Any]], users: Sequence[Any] | None = None) -> Histories:
        """Histories of raw ids; items that the run does not know are left out.

        Args:
            items: of each history, oldest first.
            users: raw id of the user of each history, for models that know users.

        Raises:
            ValueError: no item of a history is known, or a user is not.
        """
        rows = []
        for place, history in enumerate(items):
            numbers = self.catalog.numbers(history)
            rows.append(numbers[numbers > 0])
            if not len(rows[-1]) and not self.model.knows_users:
                raise ValueError(
                    f"history {place} has no item that {self.folder} knows, so nothing follows from it; leave it out"
                )
        padded = pad_sequence(rows, batch_first=True) if rows else torch.zeros(0, 1, dtype=torch.int64)
        if users is None:
            return Histories(padded)
        known = self.users.numbers(users)
        if bool((known < 0).any()):
            stranger = users[int((known < 0).nonzero()[0])]
            raise ValueError(f"user {stranger!r} is not among the {len(self.users)} users that {self.folder} knows")
        return Histories(padded, known)

    @torch.no_grad()
    def score(self, histories: Histories) -> Tensor:
        """Scores ``(B, I)`` of all items after each history; column ``i`` is item ``i + 1``.

        Args:
            histories: longer ones than the model sees are cut to their newest items.

        Raises:
            ValueError: an id is outside of the catalogue, or the model needs to know the users.
        """
        return self.model.score(self._prepared(histories))

    @torch.no_grad()
    def top(self, histories: Histories, k: int, seen: Seen | None = None) -> tuple[Tensor, Tensor]:
        """The k best items after each history, best first.

        Args:
            histories: as in :meth:`score`.
            k: how many.
            seen: ``(row, item)`` pairs that may not be recommended, see :func:`pairs_of`.

        Returns:
            Items ``(B, k)`` and their scores ``(B, k)``; item 0 where nothing is left to recommend.

        Raises:
            ValueError: as :meth:`score`; k is outside of 1..I.
        """
        device = self.model.device
        removed = None if seen is None else (seen[0].to(device), seen[1].to(device))
        return top_items(self.model.score, self._prepared(histories), self.num_items, k, removed)

    def _prepared(self, histories: Histories) -> Histories:
        """The histories on the model's device, cut to what it sees."""
        items, user = histories
        if items.numel() and not 0 <= int(items.min()) <= int(items.max()) <= self.num_items:
            raise ValueError(
                f"histories hold numbers from {int(items.min())} to {int(items.max())}, but the items of {self.folder} "
                f"are numbered 1 to {self.num_items} (0 is padding); Scorer.histories takes raw ids"
            )
        device = self.model.device
        return Histories(newest(items, self.max_length).to(device), None if user is None else user.to(device))


def newest(items: Tensor, width: int) -> Tensor:
    """The newest ``width`` items of histories ``(B, L)``, padded on the right; shorter batches stay as they are."""
    if items.shape[1] <= width:
        return items
    first = ((items != 0).sum(1, keepdim=True) - width).clamp(min=0)
    return items.gather(1, first + torch.arange(width, device=items.device))


def pairs_of(histories: Histories) -> Seen:
    """The ``(row, item)`` pairs of all items in the histories: what ``top`` leaves out with ``seen=pairs_of(...)``."""
    row, column = histories.items.nonzero(as_tuple=True)
    return row, histories.items[row, column]

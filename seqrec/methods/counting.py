"""Popularity and Markov: models without parameters that every learned model has to beat, and the known optimum.

Their scores are strict: items level in counts follow the order of the source, so ranks have no ties. They score by
counts rather than by vectors, so they are a :class:`Ranker` without ``query`` and ``output_table``.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from seqrec.backbones.none import NoStates
from seqrec.data.batch import Batch, Histories
from seqrec.data.sequences import Sequences
from seqrec.methods.ranker import Ranker

RECENT = 10
"""What is recent: one of so many parts of what trains."""


class Counting(Ranker, ABC):
    """Base of models that count the training part (all but the last two items of each user) and learn nothing.

    Args:
        num_items: I.
        **base: other arguments of :class:`Ranker`.

    Attributes:
        order: ``(I,)`` float64, the place of each item by :func:`strict_popularity`.
    """

    order: Tensor

    def __init__(self, num_items: int, **base: Any) -> None:
        super().__init__(NoStates(num_items), **base)
        self.register_buffer("order", torch.zeros(num_items, dtype=torch.float64))

    def count(self, sequences: Sequences) -> None:
        """Count the training part of all users."""
        training = sequences.training_mask()
        self.count_items(sequences, sequences.items[training].long(), sequences.owner[training])

    def count_items(self, sequences: Sequences, training: Tensor, user: Tensor) -> None:
        """Count training items ``(n,)``, oldest first, of users ``(n,)``; here how often each occurs."""
        self.order = strict_popularity(sequences, training).to(self.order.device)

    def setup(self, stage: str) -> None:
        """Count once the data is there."""
        self.count(self.data.sequences)

    def training_step(self, batch: Batch, batch_index: int) -> None:
        """Nothing to learn: one look at the validation split is enough."""
        self.trainer.should_stop = True

    def configure_optimizers(self) -> None:
        """No parameters, no optimizer."""


class Popularity(Counting):
    """Score = number of training interactions of the item; equals in the order of the source."""

    def score(self, histories: Histories) -> Tensor:
        """The same scores ``(B, I)`` for every history."""
        return self.order.to(exact_type(len(self.order))).expand(len(histories.items), -1)


class RecentPopular(Popularity):
    """Popularity in the newest tenth of what trains: of all interactions, of each user's where times are unknown."""

    def count(self, sequences: Sequences) -> None:
        """Count the newest training interactions."""
        training, owner = sequences.training_mask(), sequences.owner
        time = sequences.split_key
        if time is None or time.dtype == torch.int8:  # the number of a file is no time
            end = sequences.training_end()
            length = (end - sequences.offsets[:-1]).clamp(min=0)
            newest = torch.arange(len(owner)) >= (end - (length + RECENT - 1) // RECENT)[owner]
        else:
            known = time[training].sort().values
            newest = time >= known[len(known) - (len(known) + RECENT - 1) // RECENT]
        recent = training & newest
        self.count_items(sequences, sequences.items[recent].long(), owner[recent])


class RandomScores:
    """Scores that are drawn anew for each history, with a seed of their own.

    Args:
        num_items: I.
    """

    def __init__(self, num_items: int) -> None:
        self.num_items, self.generator = num_items, torch.Generator().manual_seed(0)

    def score(self, histories: Histories) -> Tensor:
        """Uniform scores ``(B, I)``."""
        return torch.rand(len(histories.items), self.num_items, generator=self.generator)


class Markov(Counting):
    """First-order Markov chain: transitions from the newest item, then popularity, then the order of the source.

    Attributes:
        first: ``(I + 2,)`` int64; item i was followed by ``successor[first[i]:first[i + 1]]``.
        successor: ``(E,)`` int64, distinct items that came next.
        transitions: ``(E,)`` int64, how often they did.
    """

    first: Tensor
    successor: Tensor
    transitions: Tensor

    def __init__(self, num_items: int, **base: Any) -> None:
        super().__init__(num_items, **base)
        self.first = self.successor = self.transitions = torch.zeros(0, dtype=torch.int64)

    def count_items(self, sequences: Sequences, training: Tensor, user: Tensor) -> None:
        """Transitions between neighbours of a user, as a sorted list of ``from * (I + 1) + to``."""
        super().count_items(sequences, training, user)
        neighbours = user[1:] == user[:-1]
        pair = training[:-1] * (sequences.num_items + 1) + training[1:]
        pair, self.transitions = torch.unique(pair[neighbours], return_counts=True)
        source = pair // (sequences.num_items + 1)
        self.successor = pair % (sequences.num_items + 1)
        self.first = torch.searchsorted(source, torch.arange(sequences.num_items + 2))

    def score(self, histories: Histories) -> Tensor:
        """Scores ``(B, I)``: transitions come first, popularity breaks ties."""
        items = histories.items
        newest = items.gather(1, (items != 0).sum(1, keepdim=True) - 1)[:, 0].cpu()
        start, count = self.first[newest], self.first[newest + 1] - self.first[newest]
        row = torch.repeat_interleave(torch.arange(len(newest)), count)
        place = start[row] + torch.arange(len(row)) - (count.cumsum(0) - count)[row]
        kind = self.score_type
        scores = self.order.cpu().to(kind).repeat(len(newest), 1)
        scores[row, self.successor[place] - 1] += (self.transitions[place] * len(self.order)).to(kind)
        return scores.to(items.device)

    @property
    def score_type(self) -> torch.dtype:
        """The type that holds the largest possible score exactly."""
        most = int(self.transitions.max()) if len(self.transitions) else 0
        return exact_type((most + 1) * len(self.order))

    def derived_state(self) -> dict[str, Tensor]:
        """The transitions; the popularity is part of the weights."""
        return {"first": self.first, "successor": self.successor, "transitions": self.transitions}

    def load_derived_state(self, state: dict[str, Tensor]) -> None:
        """See :meth:`Ranker.load_derived_state`."""
        self.first, self.successor, self.transitions = (state[x] for x in ("first", "successor", "transitions"))

    @property
    def missing_state(self) -> str | None:
        """See :attr:`Ranker.missing_state`."""
        return None if len(self.first) else "the counts of transitions between items"


class KnownOptimum:
    """The exact posterior predictive of a synthetic data set: no model can rank its targets better.

    Args:
        scores: probability ``(B, I)`` of each item as the target of windows ``(B,)`` of a split, from their whole
            histories.
        users: ``(N,)``, users of the windows of the split, ascending.
    """

    def __init__(self, scores: Callable[[Tensor], Tensor], users: Tensor) -> None:
        self.scores, self.users = scores, users

    def score(self, histories: Histories) -> Tensor:
        """The probabilities for the users of some histories, whose items may be cut."""
        assert histories.user is not None
        return self.scores(torch.searchsorted(self.users, histories.user))


def exact_type(largest: int) -> torch.dtype:
    """The narrowest type that holds all integers up to ``largest``: float32 ranks several times faster."""
    return torch.float32 if largest <= 1 << 24 else torch.float64


def strict_popularity(sequences: Sequences, training: Tensor) -> Tensor:
    """``(I,)`` float64 in 0..I-1: larger for more training interactions, for equals by the order of the source."""
    counts = torch.bincount(training, minlength=sequences.num_items + 1)[1:]
    by_source = torch.argsort(sequences.source_order)
    best_first = by_source[torch.argsort(-counts[by_source], stable=True)]
    order = torch.empty(sequences.num_items, dtype=torch.float64)
    order[best_first] = torch.arange(sequences.num_items - 1, -1, -1, dtype=torch.float64)
    return order

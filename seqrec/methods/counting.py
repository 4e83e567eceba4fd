"""Popularity and Markov: parameter-free models that every learnt model has to beat, and the known optimum.

Their scores are strict: items level in counts follow the order of the source, so ranks have no ties.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seqrec.backbones.none import NoStates
from seqrec.data.batch import Batch
from seqrec.data.sequences import Sequences
from seqrec.methods.base import Recommender


class Counting(Recommender):
    """Base of models that count the training part (all but the last two items of each user) and learn nothing.

    Attributes:
        order: ``(I,)`` float64, the place of each item by :func:`strict_popularity`.
    """

    order: Tensor

    def __init__(self, num_items: int, **base: Any) -> None:
        super().__init__(NoStates(num_items), optimizer=torch.optim.SGD, **base)
        self.register_buffer("order", torch.zeros(num_items, dtype=torch.float64))

    def count(self, sequences: Sequences, training: Tensor, user: Tensor) -> None:
        """Count training items ``(n,)``, oldest first, of users ``(n,)``; here how often each occurs."""
        self.order = strict_popularity(sequences, training)

    def setup(self, stage: str) -> None:
        """Count once the data is there."""
        sequences = self.data.sequences
        training = sequences.training_mask()
        self.count(sequences, sequences.items[training].long(), sequences.owner[training])

    def training_step(self, batch: Batch, batch_index: int) -> None:
        """Nothing to learn: one look at the validation split is enough."""
        self.trainer.should_stop = True

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """No parameters."""
        return []


class Popularity(Counting):
    """Score = number of training interactions of the item; equals in the order of the source."""

    def score(self, batch: Batch) -> Tensor:
        """The same scores ``(B, I)`` for every history."""
        return self.order.to(exact_type(len(self.order))).expand(len(batch.row), -1)


class Markov(Counting):
    """First-order Markov chain: transitions from the newest item, then popularity, then the order of the source."""

    def count(self, sequences: Sequences, training: Tensor, user: Tensor) -> None:
        """Transitions between neighbours of a user, as a sorted list of ``from * (I + 1) + to``."""
        super().count(sequences, training, user)
        neighbours = user[1:] == user[:-1]
        pair = training[:-1] * (sequences.num_items + 1) + training[1:]
        pair, self.transitions = torch.unique(pair[neighbours], return_counts=True)
        source = pair // (sequences.num_items + 1)
        self.successor = pair % (sequences.num_items + 1)
        self.first = torch.searchsorted(source, torch.arange(sequences.num_items + 2))
        self.score_type = exact_type((max(self.transitions.tolist(), default=0) + 1) * sequences.num_items)

    def score(self, batch: Batch) -> Tensor:
        """Scores ``(B, I)``: transitions come first, popularity breaks ties."""
        newest = batch.items.gather(1, (batch.items != 0).sum(1, keepdim=True) - 1)[:, 0].cpu()
        start, count = self.first[newest], self.first[newest + 1] - self.first[newest]
        row = torch.repeat_interleave(torch.arange(len(newest)), count)
        place = start[row] + torch.arange(len(row)) - (count.cumsum(0) - count)[row]
        scores = self.order.cpu().to(self.score_type).repeat(len(newest), 1)
        scores[row, self.successor[place] - 1] += (self.transitions[place] * len(self.order)).to(self.score_type)
        return scores.to(batch.items.device)


class KnownOptimum(Counting):
    """The exact posterior predictive of a synthetic data set: no model can rank its test targets better."""

    def score(self, batch: Batch) -> Tensor:
        """Probability ``(B, I)`` of each item after the whole history of each test window."""
        scores: Tensor = self.trainer.datamodule.optimal_scores("test", batch.row)  # type: ignore[attr-defined]
        return scores


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

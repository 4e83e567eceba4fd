"""Synthetic: sampled item histories with a known optimum, see :mod:`seqrec.data.sets.markov_world`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.sequences import Sequences
from seqrec.data.sets.markov_world import World, check_sizes, predictive, sample


class Synthetic(SequenceDataModule):
    """Histories drawn from a :class:`~seqrec.data.sets.markov_world.World`, and the best possible scores on them.

    What is known of an item, its attributes, are the time of the period in which it is liked, its popularity and
    the user type that has it most often.
    The data depends on the options of this class only; ``seed`` is that of training, as for every data set.

    Args:
        num_users: histories.
        shortest, longest: least and greatest number of interactions of a user, held-out items included.
        num_items, num_types, branching, period, noise, world_seed: parameters of the world; ``world_seed``
            seeds its tables and the histories.
        **base: arguments of :class:`~seqrec.data.datamodule.SequenceDataModule`.

    Raises:
        ValueError: an option outside its range.
    """

    def __init__(
        self,
        num_users: int,
        shortest: int,
        longest: int,
        num_items: int,
        num_types: int,
        branching: int,
        period: int,
        noise: float,
        world_seed: int,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        check_sizes(num_users, shortest, longest)
        if longest < 3:
            raise ValueError(
                f"synthetic data: longest={longest} leaves no user with an item to learn from and two to "
                "hold out; use at least 3"
            )
        self.world = World(num_items, num_types, branching, period, noise, world_seed)
        self.num_users, self.shortest, self.longest = num_users, shortest, longest

    def source(self) -> Path | None:
        """None: the data is computed."""
        return None

    def read(self, source: Path | None) -> Sequences:
        """Sample the histories, under the world's numbering."""
        return sample(self.world, self.num_users, self.shortest, self.longest, self.world.seed)

    def recipe(self) -> dict[str, Any]:
        """All options that change the histories."""
        size = {"num_users": self.num_users, "shortest": self.shortest, "longest": self.longest}
        return size | asdict(self.world)

    def optimal_scores(self, split: str, rows: Tensor) -> Tensor:
        """Exact probability of each item as the target: no recommender has a higher expected Recall or NDCG.

        Args:
            split: ``val`` or ``test``.
            rows: ``(B,)`` int64, windows of ``self.splits[split]``. The whole history counts, also what a
                model does not see because of ``max_length``.

        Returns:
            ``(B, I)`` float64; column ``i - 1`` is item ``i`` of ``self.sequences``. Rows sum to 1.
        """
        windows = self.splits[split]
        histories = windows.batch(rows, max_length=self.longest).items
        world_id = self.sequences.source_order  # of item i at i - 1
        world_histories = torch.cat([torch.zeros(1, dtype=torch.int64), world_id])[histories]
        return predictive(self.world, world_histories, windows.lengths[rows])[:, world_id - 1]

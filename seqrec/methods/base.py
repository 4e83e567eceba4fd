"""Recommender: the base of every method. Training differs; scoring, validation and testing are the same for all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from seqrec.backbones.base import Backbone
from seqrec.data.batch import Batch
from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.windows import Windows
from seqrec.functional import keyed_random as keyed
from seqrec.functional.losses import NextItemLoss
from seqrec.functional.ranking import target_rank
from seqrec.methods.checkpoint import random_states, restore_random_state
from seqrec.metrics import ALL_ITEMS, Protocol, RankingMetrics

SCORE_ELEMENTS = 1 << 23  # scores alive at a time: 32 MB

BuildOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]
BuildScheduler = Callable[[Optimizer], LRScheduler]


class Recommender(LightningModule, ABC):
    """A backbone and a way to learn from batches.

    A subclass writes :meth:`training_step`; :meth:`represent` and :meth:`score` are the only other hooks.

    Args:
        backbone: histories to states.
        optimizer: builds the optimizer from parameters.
        scheduler: builds a learning-rate scheduler, stepped once an epoch.
        monitor: validation metric that selects the weights and stops the training.
        seed: of the keyed random draws.
        sparse_items: gradients of looked-up items hold their rows only, for catalogues of a million items
            (``+overlay=sparse_items``).
        protocol: how validation and test rank.

    Attributes:
        needs_causal: the method always learns at older positions, whose states may not depend on newer items.
        uses_attributes: the method learns from attributes of the items.
        ranks: of the last evaluation.
    """

    needs_causal: bool = False
    uses_attributes: bool = False

    def __init__(
        self,
        backbone: Backbone,
        optimizer: BuildOptimizer,
        scheduler: BuildScheduler | None = None,
        monitor: str = "ndcg@10",
        seed: int = 0,
        sparse_items: bool = False,
        protocol: Protocol = ALL_ITEMS,
    ) -> None:
        super().__init__()
        if backbone.only_under not in ("", *(kind.__name__ for kind in type(self).__mro__)):
            raise ValueError(
                f"{type(backbone).__name__} gives states that only {backbone.only_under} can use, not "
                f"{type(self).__name__}; choose another model/backbone"
            )
        if self.needs_causal and not backbone.causal:
            raise ValueError(
                f"{type(self).__name__} learns at all positions, but states of a {type(backbone).__name__} depend on "
                "newer items, which they are to predict; choose a causal model/backbone"
            )
        self.backbone = backbone
        self.backbone.item_embedding.sparse = sparse_items
        self.build_optimizer, self.build_scheduler = optimizer, scheduler
        self.monitor, self.seed = monitor, seed
        self.protocol = protocol
        self.ranks = RankingMetrics(self.protocol.cutoffs)
        self._random_states: list[dict[str, Any]] = []

    @property
    def data(self) -> SequenceDataModule:
        """The data set that the trainer was given."""
        data: SequenceDataModule = self.trainer.datamodule  # type: ignore[attr-defined]
        return data

    @abstractmethod
    def training_step(self, batch: Batch, batch_index: int) -> Tensor | None:
        """Learn from one batch; returns the loss under automatic optimisation."""

    def represent(self, batch: Batch) -> Tensor:
        """User vectors ``(B, D)``; the state at the newest item unless a method overrides it."""
        return self.backbone.newest(batch.items)

    def score(self, batch: Batch) -> Tensor:
        """Scores ``(B, I)`` of all items; column ``i`` is item ``i + 1``."""
        return self.represent(batch).float() @ self.backbone.item_matrix.float().T

    def rng_keys(self, example: Tensor, stream: keyed.Stream) -> Tensor:
        """Keys of the random draws of training windows ``example`` in this epoch, for one use of them."""
        return keyed.rng_keys(self.seed, self.current_epoch, example, stream)

    @torch.no_grad()
    def vectors_of_all(self, windows: Windows, max_length: int, vector: Callable[[Batch], Tensor]) -> Tensor:
        """Vectors ``(N, D)`` of N training windows in evaluation mode, on every rank; each computes a share of them.

        Args:
            windows: taken in batches of similar length.
            max_length: of the histories.
            vector: ``(B, D)`` of a batch.
        """
        batches = torch.argsort(windows.lengths, stable=True).split(self.data.eval_batch_size)
        vectors = torch.zeros(len(windows), self.backbone.dim, device=self.device)
        self.eval()
        for rows in batches[self.trainer.global_rank :: self.trainer.world_size]:
            found = vector(Batch(*(part.to(self.device) for part in windows.batch(rows, max_length))))
            vectors[rows.to(self.device)] = found.to(vectors.dtype)
        self.train()
        whole: Tensor = self.trainer.strategy.reduce(vectors, reduce_op="sum")
        return whole

    def log_terms(self, batch: Batch, terms: Mapping[str, Tensor]) -> None:
        """Log scalar terms of a step as ``train/<name>``: means over the examples of an epoch, on all ranks."""
        named = {f"train/{name}": value.detach() for name, value in terms.items()}
        self.log_dict(named, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(batch.row))

    def position_rng_keys(self, batch: Batch) -> Tensor:
        """A random key for each position, ``(B, L)``, counted from the newest so that trimming changes nothing."""
        length = batch.items.shape[1]
        oldest_first = (batch.items != 0).sum(1, keepdim=True) - 1 - torch.arange(length, device=batch.row.device)
        of_examples = self.rng_keys(batch.row, keyed.Stream.NEGATIVES)
        return keyed.split(of_examples, length).gather(1, oldest_first.clamp(min=0))

    def next_item_loss(self, loss: NextItemLoss, batch: Batch, states: Tensor | None = None) -> Tensor:
        """``loss`` over the learnt positions of a batch; its draws are :attr:`Stream.NEGATIVES`.

        Args:
            loss: see :mod:`seqrec.functional.losses`.
            batch: M positions of it are learnt.
            states: ``(M, D)`` of those positions; None encodes the histories, only their newest items where
                those alone are learnt.

        Raises:
            ValueError: older positions of a backbone that is not causal are to learn what they have seen.
        """
        learnt = batch.next_items != 0
        if states is None:
            newest_only = int(learnt.sum()) == len(learnt)
            if not (newest_only or self.backbone.causal):
                raise ValueError(
                    "states of this backbone depend on newer items, so the newest position alone may learn the next "
                    "item; choose windows=prefixes"
                )
            states = self.backbone.newest(batch.items) if newest_only else self.backbone.at(batch.items, learnt)
        table = self.backbone.item_embedding.weight
        return loss(states, batch.next_items[learnt], table, self.position_rng_keys(batch)[learnt])

    @final
    def configure_optimizers(self) -> Any:
        """One optimizer for each group of :meth:`parameter_groups`, each with its own scheduler."""
        optimizers = [self.build_optimizer(group) for group in self.parameter_groups()]
        if not optimizers:
            return None  # nothing to learn, as in popularity
        if self.build_scheduler is None:
            return optimizers
        return optimizers, [self.build_scheduler(optimizer) for optimizer in optimizers]

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Parameters of each optimizer: here one group with all of them."""
        parameters = [p for p in self.parameters() if p.requires_grad]
        return [parameters] if parameters else []

    @final
    def on_validation_epoch_start(self) -> None:
        """Forget the ranks of the last evaluation."""
        self.ranks = RankingMetrics(self.protocol.cutoffs).to(self.device)

    @final
    def on_test_epoch_start(self) -> None:
        """Forget the ranks of the last evaluation."""
        self.ranks = RankingMetrics(self.protocol.cutoffs).to(self.device)

    @final
    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Rank the validation targets of a batch."""
        self._rank(batch, "val")

    @final
    def test_step(self, batch: Batch, batch_index: int) -> None:
        """Rank the test targets of a batch."""
        self._rank(batch, "test")

    @final
    def on_validation_epoch_end(self) -> None:
        """Log the means over all validation users."""
        self.log_dict({f"val/{name}": value for name, value in self.ranks.compute()[0].items()})

    @final
    def on_test_epoch_end(self) -> None:
        """Log the means over all test users."""
        self.log_dict({f"test/{name}": value for name, value in self.ranks.compute()[0].items()})

    def _rank(self, batch: Batch, split: str) -> None:
        """Rank the targets; large catalogues are scored a few rows at a time."""
        rows = max(1, SCORE_ELEMENTS // self.backbone.num_items)
        for start in range(0, len(batch.row), rows):
            part = Batch(*(x[start : start + rows] for x in batch))
            with torch.autocast(self.device.type, enabled=False):
                scores = self.score(part)
            removed = None
            if self.protocol.remove_seen:
                windows = self.data.splits[split]
                row, item = windows.seen(part.row.cpu())
                removed = row.to(scores.device), item.to(scores.device)
            self.ranks.update(part.row, target_rank(scores, part.target, removed))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the random states of all ranks, so that a resumed run draws what the whole run would."""
        checkpoint["random_states"] = random_states()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the stored random states until the training starts; set-up in between may draw."""
        self._random_states = checkpoint["random_states"]

    def on_train_start(self) -> None:
        """Continue the random streams of a resumed run; without one to continue, each rank gets its own."""
        rank = self.trainer.global_rank
        if rank < len(self._random_states):
            restore_random_state(self._random_states[rank])
        elif rank:
            torch.manual_seed(self.seed + rank)
        self._random_states = []

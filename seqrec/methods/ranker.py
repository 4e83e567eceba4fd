"""Ranker: what is asked of a model that is judged, stored and loaded again, whether it learns or counts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, final

import torch
from pytorch_lightning import LightningModule
from torch import Tensor

from seqrec.backbones.base import Backbone
from seqrec.data.batch import Histories, RankedBatch
from seqrec.data.datamodule import SequenceDataModule
from seqrec.methods.checkpoint import random_states, restore_random_state
from seqrec.methods.evaluation import rank_targets
from seqrec.metrics import ALL_ITEMS, ListCounts, Protocol, RankingMetrics


class Ranker(LightningModule, ABC):
    """Scores bare histories; validation and test are the same for all.

    Args:
        backbone: knows the catalogue.
        monitor: validation metric that selects the weights and stops the training; None takes what fits the protocol,
            see :meth:`Protocol.monitor <seqrec.metrics.Protocol.monitor>`.
        seed: of the random draws.
        protocol: how validation and test rank.

    Attributes:
        knows_users: scores depend on who the user is, so only users of the training data have any.
        ranks: of the last evaluation.
        lists: of the last test, where the protocol looks at them.
        divided_items: the processes of a run share the scores of each history, not the histories.
    """

    knows_users: bool = False
    divided_items: bool = False

    def __init__(
        self,
        backbone: Backbone,
        monitor: str | None = None,
        seed: int = 0,
        protocol: Protocol = ALL_ITEMS,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.monitor, self.seed, self.protocol = protocol.monitor(monitor), seed, protocol
        self.ranks = RankingMetrics(protocol.cutoffs)
        self.lists: ListCounts | None = None
        self._random_states: list[dict[str, Any]] = []

    @abstractmethod
    def score(self, histories: Histories) -> Tensor:
        """Scores ``(B, I)`` of all items after each history; column ``i`` is item ``i + 1``."""

    def derived_state(self) -> dict[str, Tensor]:
        """What scoring needs and the weights do not hold, because it follows from the training data.

        It is stored in checkpoints beside the weights, as ``derived``.
        """
        return {}

    def load_derived_state(self, state: dict[str, Tensor]) -> None:
        """Take over what :meth:`derived_state` gave."""

    @property
    def missing_state(self) -> str | None:
        """What the model still lacks to score, in words; None where nothing is missing."""
        return None

    def hold(self) -> None:
        """Keep what all scores have in common, until :meth:`release`: the weights do not change in between."""

    def release(self) -> None:
        """See :meth:`hold`."""

    @property
    def data(self) -> SequenceDataModule:
        """The data set that the trainer was given: for preparing the training, never for scoring."""
        data: SequenceDataModule = self.trainer.datamodule  # type: ignore[attr-defined]
        return data

    @final
    def on_validation_start(self) -> None:
        """The weights stay as they are now."""
        self.hold()

    @final
    def on_validation_end(self) -> None:
        """Training changes the weights again."""
        self.release()

    @final
    def on_test_start(self) -> None:
        """See :meth:`on_validation_start`."""
        self.hold()

    @final
    def on_test_end(self) -> None:
        """See :meth:`on_validation_end`."""
        self.release()

    @final
    def on_validation_epoch_start(self) -> None:
        """Forget the ranks of the last evaluation."""
        self.ranks = RankingMetrics(self.protocol.cutoffs, shared=not self.divided_items).to(self.device)

    @final
    def on_test_epoch_start(self) -> None:
        """Forget the ranks of the last evaluation."""
        self.ranks = RankingMetrics(self.protocol.cutoffs, shared=not self.divided_items).to(self.device)
        if self.protocol.looks_at_lists:
            sizes = self.protocol.cutoffs, self.backbone.num_items
            self.lists = ListCounts(*sizes, shared=not self.divided_items).to(self.device)

    @final
    def validation_step(self, batch: RankedBatch, batch_index: int) -> None:
        """Rank the validation targets of a batch."""
        self._rank(batch, None)

    @final
    def test_step(self, batch: RankedBatch, batch_index: int) -> None:
        """Rank the test targets of a batch."""
        self._rank(batch, self.lists)

    @final
    def on_validation_epoch_end(self) -> None:
        """Log the means over all validation users."""
        self.log_dict({f"val/{name}": value for name, value in self.ranks.compute()[0].items()})

    @final
    def on_test_epoch_end(self) -> None:
        """Log the means over all test users."""
        self.log_dict({f"test/{name}": value for name, value in self.ranks.compute()[0].items()})

    def _rank(self, batch: RankedBatch, lists: ListCounts | None) -> None:
        ranks = rank_targets(self.score, batch, self.backbone.num_items, self.protocol.remove_seen, lists)
        self.ranks.update(batch.row, ranks)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store what scoring needs beside the weights, and the random states of all ranks.

        With those a resumed run draws what the whole run would.
        """
        checkpoint["derived"] = {name: value.cpu() for name, value in self.derived_state().items()}
        checkpoint["random_states"] = random_states()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the stored random states until the training starts; set-up in between may draw."""
        self._random_states = checkpoint["random_states"]
        if checkpoint.get("derived"):  # older versions stored none
            self.load_derived_state(checkpoint["derived"])

    def on_train_start(self) -> None:
        """Continue the random streams of a resumed run; without one to continue, each rank gets its own."""
        rank = self.trainer.global_rank
        if rank < len(self._random_states):
            restore_random_state(self._random_states[rank])
        elif rank:
            torch.manual_seed(self.seed + rank)
        self._random_states = []

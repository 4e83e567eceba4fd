"""The fine-tuning of a grown model, and which of its weights are taken: those before it are a choice as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger
from torch import Tensor

from seqrec.data.batch import Histories
from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.indices.neighbours import attribute_neighbours, item_neighbours, user_neighbours
from seqrec.functional.new_rows import known
from seqrec.methods.checkpoint import read_checkpoint
from seqrec.methods.counting import Counting
from seqrec.methods.evaluation import Score, evaluate
from seqrec.methods.growth import Part, Start, grown_state, tables
from seqrec.methods.ranker import Ranker
from seqrec.metrics import Protocol
from seqrec.runs.folder import BEST
from seqrec.runs.result import Result
from seqrec.training.build import build
from seqrec.training.checkpoint_io import AtomicCheckpointIO
from seqrec.training.fit import Fitted, fit
from seqrec.training.update.finished import FinishedRun
from seqrec.training.update.frozen import Frozen


@dataclass(frozen=True)
class GrownModel:
    """A model for more items and users, before it has learned of them.

    Attributes:
        model: of the updated run.
        state: its weights.
        parts: tables that have grown, with the sizes that they had; none for a model that counts.
        starts: new items by what their rows start from.
    """

    model: Ranker
    state: dict[str, Tensor]
    parts: dict[str, Part]
    starts: dict[str, int]

    @classmethod
    def of(
        cls, run: FinishedRun, config: DictConfig, data: SequenceDataModule, protocol: Protocol, window: int
    ) -> GrownModel:
        """Build the model for the grown catalogue and give it the run's weights and new rows.

        Args:
            run: to update.
            config: of the updated run.
            data: of the updated run.
            protocol: how it is judged.
            window: positions within which two items of a history are neighbours.

        Raises:
            ValueError: the model has weights that belong neither to items nor to users and would change their shape.
        """
        sequences, old = data.sequences, run.sizes
        model = build(config.model, protocol, config.seed)
        if isinstance(model, Counting):
            return cls(model, {}, {}, {})
        training = sequences.items[sequences.training_mask()].long()
        counts = torch.bincount(training, minlength=sequences.num_items + 1)[1:]
        ways = [item_neighbours(sequences, old.items, window), attribute_neighbours(sequences, old.items)]
        of_users = [user_neighbours(sequences, old.users)] if model.knows_users else []
        fresh = model.state_dict()
        parts = tables(run.state, fresh, old)
        state = grown_state(run.state, fresh, parts, Start(ways, of_users, counts))
        model.load_state_dict(state)
        reached = known(ways, old.items, sequences.num_items - old.items)
        starts = dict(zip(("neighbours", "attributes", "mean"), reached, strict=True))
        return cls(model, {name: value.clone() for name, value in state.items()}, parts, starts)


@dataclass(frozen=True)
class Updated:
    """A fine-tuned model and its selected weights.

    Attributes:
        fitted: what trained it.
        grown: the model, and its weights before the training.
        epoch: of the selected weights; 0 where the training made none better on validation.
        state: the selected weights; none of a model that counts.
    """

    fitted: Fitted
    grown: GrownModel
    epoch: int
    state: dict[str, Tensor]

    def score(self, trained: bool) -> Score:
        """Scores ``(B, I)`` on the CPU, of the selected weights or of those before the training.

        The model has one set of weights at a time: the function is valid until the next call.
        """
        model = self.grown.model
        model.release()
        if self.grown.state:
            model.load_state_dict(self.state if trained else self.grown.state)
        model.eval()
        with torch.no_grad():
            model.hold()
        return partial(_on_cpu, model)

    def result(self, data: SequenceDataModule) -> Result:
        """Metrics of the selected weights on validation and test."""
        score, protocol = self.score(trained=True), self.grown.model.protocol
        val = evaluate(score, data, "val", protocol).results()[0]
        test, row, rank = evaluate(score, data, "test", protocol).results()
        return Result(val, test, self.fitted.epochs, self.epoch, self.fitted.log.seconds, row, rank)


def fine_tune(
    grown: GrownModel,
    data: SequenceDataModule,
    config: DictConfig,
    folder: Path,
    loggers: Sequence[Logger],
    freeze: bool,
) -> Updated:
    """Train the grown model and select its weights on validation, those before the training among them.

    Args:
        grown: to train.
        data: of the updated run.
        config: of the updated run.
        folder: of the updated run; its best checkpoint holds the selected weights.
        loggers: Lightning's.
        freeze: only new rows learn.
    """
    model, watchers = grown.model, [Frozen(grown.state, grown.parts)] if freeze and grown.state else []
    fitted = fit(model, data, config, folder, loggers, watchers)
    model.to(fitted.trainer.strategy.root_device)
    updated = Updated(fitted, grown, 0, grown.state)
    untrained = evaluate(updated.score(trained=False), data, "val", model.protocol).results()[0][model.monitor]
    if fitted.best is not None:
        chosen = read_checkpoint(fitted.best)
        trained = Updated(fitted, grown, int(chosen["epoch"]) + 1, chosen["state_dict"])
        if evaluate(trained.score(trained=True), data, "val", model.protocol).results()[0][model.monitor] > untrained:
            return trained
    _store(grown, folder)
    return updated


def _store(grown: GrownModel, folder: Path) -> None:
    """Make the weights before the training those of the best checkpoint."""
    model = grown.model
    derived = {name: value.cpu() for name, value in model.derived_state().items()}
    state = grown.state or model.state_dict()
    content: dict[str, Any] = {"state_dict": state, "derived": derived, "epoch": -1, "global_step": 0}
    AtomicCheckpointIO().save_checkpoint(content, folder / BEST)


def _on_cpu(model: Ranker, histories: Histories) -> Tensor:
    """Scores ``(B, I)`` of histories on the CPU by a model that may be elsewhere."""
    device, user = model.device, histories.user
    moved = Histories(histories.items.to(device), None if user is None else user.to(device))
    return model.score(moved).cpu()

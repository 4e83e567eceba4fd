"""Train one model on one data set in one folder: the one place with a Trainer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
import torch.utils.deterministic
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger

from seqrec.data.datamodule import SequenceDataModule
from seqrec.methods.checkpoint import read_checkpoint
from seqrec.methods.evaluation import further_measures
from seqrec.methods.ranker import Ranker
from seqrec.nn.sharding import load_whole
from seqrec.runs.folder import LAST
from seqrec.runs.machine import Machine
from seqrec.runs.result import Result
from seqrec.training.callbacks.checkpoints import BestCheckpoint, LastCheckpoint
from seqrec.training.callbacks.epoch_log import EpochLog
from seqrec.training.callbacks.same_configuration import SameConfiguration
from seqrec.training.callbacks.screen import console
from seqrec.training.callbacks.train_on import TrainOn
from seqrec.training.checkpoint_io import AtomicCheckpointIO
from seqrec.training.trainer import Trainer
from seqrec.training.updates import update_options


@dataclass(frozen=True)
class Fitted:
    """A trained model and what trained it."""

    trainer: pl.Trainer
    callbacks: Sequence[Callback]
    model: Ranker
    data: SequenceDataModule

    @property
    def log(self) -> EpochLog:
        """One row an epoch."""
        return next(callback for callback in self.callbacks if isinstance(callback, EpochLog))

    @property
    def epochs(self) -> int:
        """Epochs trained; Lightning's own count is one less where a resumed run has nothing left to train."""
        epochs: int = self.trainer.fit_loop.epoch_progress.current.processed  # type: ignore[attr-defined]
        return epochs

    @property
    def machine(self) -> Machine:
        """What trained it."""
        trainer = self.trainer
        return Machine.of(trainer.strategy.root_device, trainer.world_size, str(trainer.precision))

    @property
    def best(self) -> Path | None:
        """The checkpoint with the best weights on validation; None where no epoch was validated."""
        return _written(self.callbacks, BestCheckpoint)

    @property
    def selected(self) -> Path:
        """The checkpoint with the selected weights: the best on validation, the last where nothing is validated.

        Raises:
            ValueError: none was written; the test split is never ranked without a selection.
        """
        checkpoint = self.best or _written(self.callbacks, LastCheckpoint)
        if checkpoint is None:
            raise ValueError(
                "no checkpoint was written, so there are no weights to judge: the budget ended before the first step; "
                "raise trainer.max_epochs, max_steps, max_time or limit_train_batches"
            )
        return checkpoint

    def evaluate(self) -> Result:
        """Validation and test metrics of the selected weights; the test split is ranked here and nowhere else."""
        trainer, model = self.trainer, self.model
        chosen = read_checkpoint(self.selected)
        load_whole(model, chosen["state_dict"])
        epochs = self.epochs
        trainer.logger = None  # a second look at validation is no point of the curves
        trainer.validate(model, datamodule=self.data, verbose=False)
        val = model.ranks.compute()[0]
        trainer.test(model, datamodule=self.data, verbose=False)
        test, row, rank = model.ranks.results()
        test = test | further_measures(self.data, model.protocol, row, rank, model.lists)
        epoch, seconds = int(chosen["epoch"]) + 1, self.log.seconds
        return Result(val, test, epochs, epoch, seconds, row, rank, selected=self.best is not None)


def _written(callbacks: Sequence[Callback], kind: type[BestCheckpoint | LastCheckpoint]) -> Path | None:
    """What the callback of a kind has written last."""
    paths = [callback.best_model_path for callback in callbacks if isinstance(callback, kind)]
    return next((Path(path) for path in paths if path), None)


def fit(
    model: Ranker,
    data: SequenceDataModule,
    config: DictConfig,
    folder: Path,
    loggers: Sequence[Logger] = (),
    watchers: Sequence[Callback] = (),
) -> Fitted:
    """Train ``model``, or what is left of its training where ``config.resume`` is set and ``folder`` has a checkpoint.

    Args:
        model: built from ``config``.
        data: prepared.
        config: its ``trainer``, ``callbacks`` and ``resume`` are read.
        folder: checkpoints and ``log.csv`` are written there.
        loggers: Lightning's.
        watchers: callbacks beside those of the configuration.

    Raises:
        ValueError: options of clipping or accumulation mean nothing, see :mod:`seqrec.training.updates`.
        KeyboardInterrupt: someone stopped it. Lightning ends quietly, but a stopped run must not look finished.
    """
    # A deterministic trainer would fill all new memory with NaN: hundreds of operators a step, which change nothing.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    own = [instantiate(node) for node in config.callbacks.values() if node is not None]
    callbacks = [*own, SameConfiguration(config), TrainOn(config), *watchers]
    trainer: pl.Trainer = instantiate(
        config.trainer,
        default_root_dir=str(folder),
        logger=list(loggers) or False,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        enable_checkpointing=any(isinstance(callback, LastCheckpoint) for callback in callbacks),
        enable_progress_bar=False,
        **update_options(model, config.trainer),
    )
    data.with_seen, data.whole_evaluation = model.protocol.remove_seen, model.divided_items
    why = trainer.compile_parts(model) if isinstance(trainer, Trainer) else None
    if why and trainer.is_global_zero:
        console.print(why, soft_wrap=True)
    # Under a budget of steps Lightning takes each checkpoint for one inside an epoch, and would skip the next epoch.
    trainer.fit_loop._iteration_based_training = lambda: False  # type: ignore[method-assign]
    last = folder / LAST
    resumed = last if config.resume is not None and last.exists() else None
    trainer.fit(model, datamodule=data, ckpt_path=resumed, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    return Fitted(trainer, callbacks, model, data)

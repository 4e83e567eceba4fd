"""A run is a list of stages: one, or a first model that is trained alone and the run's own that starts from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from seqrec.methods.checkpoint import read_checkpoint
from seqrec.runs.card import weights
from seqrec.runs.files import write_json
from seqrec.runs.folder import BEST, FIRST_STAGE, LAST, METRICS
from seqrec.training.callbacks.train_on import write_config
from seqrec.training.fit import Fitted


@dataclass(frozen=True)
class FirstStage:
    """What ``warm_start`` says; what it does not say is as in the run itself.

    Attributes:
        model: the configuration of the model that is trained first.
        into: part of the run's model that gets the backbone of this one, ``backbone`` for the model's own.
        data, trainer: values other than the run's.
        patience: as the run's; null trains all epochs without validation and takes the last weights.
    """

    model: Mapping[str, Any]
    into: str
    data: Mapping[str, Any]
    trainer: Mapping[str, Any]
    patience: int | None


@dataclass(frozen=True)
class Stage:
    """One training of a run.

    Attributes:
        config: of this stage as a run of its own, read-only.
        folder: of this stage.
        into: the part of this stage's model that starts from the weights of the stage before.
    """

    config: DictConfig
    folder: Path
    into: str = ""

    def open(self) -> None:
        """Make the folder and store the configuration; that of a resumed training is stored when it trains."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / LAST).exists():
            write_config(self.config, self.folder)

    def finished(self) -> Path | None:
        """The selected weights of a first stage that was finished before; None where there is something to train."""
        if not (self.folder / METRICS).exists():
            return None
        return self.folder / (BEST if (self.folder / BEST).exists() else LAST)

    def finish(self, fitted: Fitted) -> Path:
        """Write what a first stage gave, which marks it as finished; returns its selected weights."""
        if fitted.trainer.is_global_zero:
            epoch = int(read_checkpoint(fitted.selected)["epoch"])
            row = fitted.log.rows[epoch]
            val = {name.removeprefix("val/"): value for name, value in row.items() if name.startswith("val/")}
            result = {"val": val, "epochs": fitted.epochs, "seconds": fitted.log.seconds}
            taken = weights(epoch + 1, fitted.epochs, fitted.model.monitor, fitted.best is not None)
            write_json(self.folder / METRICS, result | {"best_epoch": epoch + 1, "weights": taken})
        fitted.trainer.strategy.barrier()
        return fitted.selected


def stages(config: DictConfig, folder: Path) -> tuple[list[Stage], Stage]:
    """The first stages of a run, none or one, and the stage of its own model.

    A run whose own model has begun to train needs no first stage any more.

    Args:
        config: of the run, complete.
        folder: of the run.
    """
    if config.warm_start is None:
        return [], Stage(config, folder)
    begun = config.resume is not None and (folder / LAST).exists()
    first = [] if begun else [Stage(_first_config(config), folder / FIRST_STAGE)]
    return first, Stage(config, folder, into=config.warm_start.into)


def _first_config(config: DictConfig) -> DictConfig:
    """The configuration of the first stage as a run without a warm start; ``config`` knows its catalogue."""
    stage: FirstStage = instantiate(config.warm_start, _recursive_=False)
    first = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    assert isinstance(first, DictConfig)
    first.model, first.patience = stage.model, stage.patience
    first.data = OmegaConf.merge(first.data, stage.data)
    first.trainer = OmegaConf.merge(first.trainer, stage.trainer)
    if config.trainer.limit_train_batches is not None:  # a job that is tried shortly is short in all its parts
        first.trainer.max_epochs = min(first.trainer.max_epochs, config.trainer.max_epochs)
    first.name, first.warm_start, first.logger = f"{config.name}, first stage", None, {}
    if stage.patience is None:
        first.callbacks.pop("early_stopping", None)
        first.callbacks.pop("best", None)
        first.trainer = OmegaConf.merge(first.trainer, {"limit_val_batches": 0})
    elif "early_stopping" in first.callbacks:
        first.callbacks.early_stopping.patience = stage.patience
    OmegaConf.set_readonly(first, True)
    return first

"""Warm start: a first model is trained in a folder of its own, and the model of the run starts from its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from seqrec.data.datamodule import SequenceDataModule
from seqrec.methods.base import Recommender
from seqrec.methods.checkpoint import load_backbone
from seqrec.reporting.terminal import show_start
from seqrec.runs.folder import BEST, CONFIG, LAST, METRICS
from seqrec.runs.result import write_json
from seqrec.training.callbacks.checkpoints import selection
from seqrec.training.callbacks.epoch_log import History
from seqrec.training.callbacks.interrupts import HeedInterrupts
from seqrec.training.callbacks.progress import EpochProgress


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


def first_config(config: DictConfig) -> DictConfig:
    """The configuration of the first stage as a run without a warm start; ``config`` knows its catalogue."""
    stage: FirstStage = instantiate(config.warm_start, _recursive_=False)
    first = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    assert isinstance(first, DictConfig)
    first.model, first.patience = stage.model, stage.patience
    first.data = OmegaConf.merge(first.data, stage.data)
    first.trainer = OmegaConf.merge(first.trainer, stage.trainer)
    first.name, first.warm_start, first.logger = f"{config.name}, first stage", None, None
    return first


def train_first(
    config: DictConfig, run: DictConfig, model: Recommender, data: SequenceDataModule, folder: Path
) -> None:
    """Train the first stage, or what is left of it; a finished one has its ``metrics.json``.

    Args:
        config: of :func:`first_config`.
        run: configuration of the whole run, which is stored now so that this stage can be resumed.
        model, data: built from ``config``.
        folder: of the first stage, inside the run's.
    """
    history = History(folder)
    validated = {} if config.patience is not None else {"limit_val_batches": 0}
    trainer: pl.Trainer = instantiate(
        config.trainer,
        default_root_dir=str(folder),
        logger=False,
        callbacks=[*selection(config, model, folder), history, EpochProgress(model.monitor), HeedInterrupts()],
        enable_progress_bar=False,
        **validated,
    )
    if trainer.is_global_zero:
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(run, folder.parent / CONFIG, resolve=True)
        OmegaConf.save(config, folder / CONFIG, resolve=True)
        show_start(config.name, model, data, folder)
    last = folder / LAST
    trainer.fit(model, datamodule=data, ckpt_path=last if last.exists() else None, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt  # Lightning ends quietly; an unfinished stage must not look finished
    if trainer.is_global_zero:
        kept = torch.load(chosen(config, folder), weights_only=True, map_location="cpu")["epoch"]
        val = {name.removeprefix("val/"): x for name, x in history.rows[kept].items() if name.startswith("val/")}
        result = {"val": val, "epochs": trainer.current_epoch, "seconds": history.seconds, "best_epoch": kept + 1}
        write_json(folder / METRICS, result)
    trainer.strategy.barrier()


def chosen(config: DictConfig, folder: Path) -> Path:
    """The checkpoint that the run starts from: the best on validation, the last where there is none."""
    return folder / (LAST if config.patience is None else BEST)


def start_from(model: Recommender, into: str, checkpoint: Path) -> None:
    """Give part ``into`` of the model the weights of the first stage.

    Raises:
        ValueError: the model has no such part, or one of another size.
    """
    part = dict(model.named_modules()).get(into)
    if part is None:
        names = ", ".join(name for name, _ in model.named_children())
        raise ValueError(f"warm_start.into is {into!r}; {type(model).__name__} has {names}")
    load_backbone(part, checkpoint)

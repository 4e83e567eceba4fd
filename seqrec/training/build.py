"""From a configuration to the data and the model that it describes."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
from hydra.utils import instantiate
from omegaconf import DictConfig

from seqrec.data.datamodule import SequenceDataModule
from seqrec.methods.checkpoint import load_backbone
from seqrec.methods.ranker import Ranker
from seqrec.metrics import Protocol


def load_data(node: DictConfig) -> SequenceDataModule:
    """The prepared data set that ``node`` describes."""
    data: SequenceDataModule = instantiate(node)
    data.setup()
    return data


def build(node: DictConfig, protocol: Protocol, seed: int) -> Ranker:
    """The model that ``node`` describes, judged under ``protocol``; the same seed gives the same initial weights."""
    pl.seed_everything(seed, verbose=False)
    model: Ranker = instantiate(node, _partial_=True, _convert_="all")(protocol=protocol)
    return model


def start_from(model: Ranker, part: str, checkpoint: Path) -> None:
    """Give the part of a model of this name the weights that another model's backbone has.

    Raises:
        ValueError: the model has no such part, or one of another size.
    """
    module = dict(model.named_modules()).get(part)
    if module is None:
        names = ", ".join(name for name, _ in model.named_children())
        raise ValueError(f"warm_start.into is {part!r}; {type(model).__name__} has {names}")
    load_backbone(module, checkpoint)

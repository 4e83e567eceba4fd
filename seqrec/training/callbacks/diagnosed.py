"""What a diagnosis needs of a training: a model that learns, whole weights, and steps that are no compiled graph."""

from __future__ import annotations

import pytorch_lightning as pl

from seqrec.methods.base import Recommender
from seqrec.nn.sharding import is_sharded


def diagnosed(trainer: pl.Trainer, module: pl.LightningModule, name: str) -> Recommender:
    """The model of a training that ``callbacks=[default,<name>]`` is to look into.

    Raises:
        ValueError: the model does not learn, its weights are divided, or its steps are compiled.
    """
    if not isinstance(module, Recommender):
        raise ValueError(
            f"callbacks={name}: {type(module).__name__} counts and has no weights to look into; leave it out"
        )
    if is_sharded(module) or module.divided_items:
        raise ValueError(f"callbacks={name} needs whole weights on each process; choose trainer=gpu or trainer=ddp")
    if getattr(trainer, "compile", False) and trainer.strategy.root_device.type != "cpu":
        raise ValueError(f"callbacks={name} looks into steps, which trainer.compile=true hides; set it to false")
    return module


def check_steps(name: str, every_n_steps: int) -> int:
    """The number of batches between two looks.

    Raises:
        ValueError: it is below 1.
    """
    if every_n_steps < 1:
        raise ValueError(f"callbacks.{name}.every_n_steps is {every_n_steps}; give 1 or more, or callbacks.{name}=null")
    return every_n_steps

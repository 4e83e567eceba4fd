"""Trainer: Lightning's, which also knows whether the model's steps are to be compiled."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from seqrec.methods.base import Recommender
from seqrec.methods.ranker import Ranker


class Trainer(pl.Trainer):
    """See :class:`pytorch_lightning.Trainer`.

    Args:
        compile: turn what a model makes of a batch, from embeddings to the loss, into one graph for all batches. It
            takes minutes at the start and saves a GPU's host most of its work.
        **lightning: Lightning's own options.
    """

    def __init__(self, compile: bool = False, **lightning: Any) -> None:
        super().__init__(**lightning)
        self.compile = compile

    def compile_parts(self, model: Ranker) -> str | None:
        """Compile what can be of a model; returns why nothing is compiled although it was asked for, else None."""
        if not self.compile:
            return None
        if self.strategy.root_device.type == "cpu":
            return "trainer.compile=true is left out: on the CPU, work on padding would cost more than it saves"
        if not isinstance(model, Recommender) or not model.compiled_parts:
            return f"trainer.compile=true is left out: {type(model).__name__} has no step that is one graph"
        if model.divided_items:
            return "trainer.compile=true is left out: an item table that processes divide makes no one graph"
        model.compile_parts()
        return None

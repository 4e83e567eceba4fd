"""Every model for a few steps, a validation and a test: losses beside the CPU's, waits beside the emulated device's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from tests.device.audit import summary, train
from tests.device.configurations import MODELS, small
from tests.device.lightning import Parts
from tests.device.table import stored
from tests.gpu.place import Place
from tests.gpu.report import Row

HALF = "trainer.precision=bf16-mixed"
WHOLE = "trainer.precision=32-true"


class Losses(pl.Callback):
    """The loss of each step, which stays on the device until it is asked for."""

    def __init__(self) -> None:
        self.found: list[Tensor] = []

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, *_: Any) -> None:
        terms = getattr(module, "last_terms", {})
        if terms:
            self.found.append(sum(terms.values()).detach().clone())

    @property
    def last(self) -> float:
        return float(self.found[-1]) if self.found else 0.0


def rows(place: Place) -> Iterator[Row]:
    """Of one model after the other."""
    cpu = Place("cpu", place.small, place.cache_dir)
    for name in MODELS[:: place.sized(1, 8)]:
        expected, _ = trained(cpu, name, WHOLE)
        row: Row = {"model": name, "loss on the CPU": expected}
        for heading, words in (("float32", WHOLE), ("bfloat16", HALF)):
            try:
                loss, waits = trained(place, name, words)
            except Exception as error:
                row[f"{heading}, difference"] = f"{type(error).__name__}: {str(error).splitlines()[0][:100]}"
                continue
            row[f"{heading}, difference"] = abs(loss - expected) / abs(expected) if expected else 0.0
            row[f"{heading}, waits a step"] = waits
        yield row | {"waits emulated": stored()[name]["step waits"]}


def trained(place: Place, name: str, precision: str) -> tuple[float, int]:
    """The loss of the last step without dropout, and waits of a step."""
    config = small(name, place.cache_dir, *place.trainer, precision)
    without_dropout(config.model)
    losses = Losses()
    with place.watched() as record:
        train(config, [Parts(record), losses])
        return losses.last, summary(record).step.waits.total()


def without_dropout(node: Any) -> None:
    """Set every dropout of a configuration to 0; devices draw different ones."""
    if not isinstance(node, DictConfig):
        return
    for key in map(str, node):
        if "dropout" in key and not OmegaConf.is_interpolation(node, key) and isinstance(node[key], float):
            node[key] = 0.0
        else:
            without_dropout(node[key])

"""What each remedy gives to a training step of SASRec and of EASNRec, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf

from seqrec.methods.base import Recommender
from seqrec.nn.packing import DensePacking, Packing, packed_as
from seqrec.nn.trunk import TransformerLayer
from tests.device.configurations import composed
from tests.gpu.place import Place
from tests.gpu.report import Row
from tests.gpu.steps import timed

COMPILE = "trainer.compile=true"


class FilledMemory(pl.Callback):
    """Deterministic algorithms fill new memory with NaN, as PyTorch has it."""

    def on_fit_start(self, *_: Any) -> None:  # which every fit switches off when it begins
        torch.utils.deterministic.fill_uninitialized_memory = True  # type: ignore[attr-defined]

    def on_fit_end(self, *_: Any) -> None:
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


class CompiledLayers(pl.Callback):
    """Each layer of a Transformer is compiled by itself."""

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        for part in module.modules():
            if isinstance(part, TransformerLayer):
                part.compile(dynamic=True)


def without_logs() -> AbstractContextManager[Any]:
    """No step has anything to log."""
    return patch.object(Recommender, "log_terms", lambda *_, **__: None)


@dataclass(frozen=True)
class Rung:
    """A remedy.

    Attributes:
        title: for people.
        words: of the command line; the rungs above keep them.
        context: in which the rungs above stay, too.
        watcher: a callback of this rung alone.
    """

    title: str
    words: tuple[str, ...] = ()
    context: Callable[[], AbstractContextManager[Any]] = nullcontext
    watcher: Callable[[], pl.Callback] | None = None


GROUND = (
    "trainer.precision=32-true",
    "trainer.deterministic=warn",
    "data.on_device=false",
    "callbacks.matmul.precision=highest",
)
RUNGS = [
    Rung(
        "float32, packed, data on the host, new memory filled with NaN",
        GROUND,
        lambda: packed_as(Packing),
        watcher=FilledMemory,
    ),
    Rung("nothing filled"),
    Rung("dense packing", context=lambda: packed_as(DensePacking)),
    Rung("products in TF32", ("callbacks.matmul.precision=high",)),
    Rung("bfloat16", ("trainer.precision=bf16-mixed",)),
    Rung("data on the device", ("data.on_device=true",)),
    Rung("no logs", context=without_logs),
    Rung("each layer compiled", watcher=CompiledLayers),
    Rung("states and loss compiled", (COMPILE,)),
]


def rows(place: Place) -> Iterator[Row]:
    """A rung of one model after the other."""
    config = composed("sasrec", "synthetic", place.cache_dir, *place.trainer, "callbacks=none")

    def known(word: str) -> bool:
        return OmegaConf.select(config, word.partition("=")[0]) is not None

    for name in ("sasrec", "easnrec")[: place.sized(2, 1)]:
        for number, rung in enumerate(RUNGS):
            row: Row = {"model": name, "with": rung.title}
            if place.kind != "cuda" and (rung.watcher is CompiledLayers or COMPILE in rung.words):
                yield row | {"a step, ms": "not available: compiled on a GPU only"}
            elif rung.words and not any(map(known, rung.words)):
                yield row | {"a step, ms": f"not available: no {rung.words[0].partition('=')[0]}"}
            else:
                yield row | climbed(place, name, RUNGS[: number + 1], known)


def climbed(place: Place, name: str, rungs: list[Rung], known: Callable[[str], bool]) -> Row:
    """Figures of a step on the last of these rungs."""
    words = {word.partition("=")[0]: word for rung in rungs for word in rung.words if known(word)}
    with ExitStack() as stack:
        for rung in rungs:
            stack.enter_context(rung.context())
        watchers = tuple(rung.watcher() for rung in rungs[-1:] if rung.watcher is not None)
        return timed(place, name, *words.values(), watchers=watchers)

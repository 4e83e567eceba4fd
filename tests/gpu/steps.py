"""Training steps at the published sizes of Beauty: wall time, the device's share of it, launches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from torch.profiler import ProfilerActivity, profile

from seqrec.training.build import load_data
from tests.device.audit import summary, train
from tests.device.configurations import small
from tests.device.lightning import Parts
from tests.device.published import MODELS, SIZES, published
from tests.device.table import stored
from tests.gpu.place import Place
from tests.gpu.report import Row

LAUNCH = 5e-6  # seconds that a launch is expected to take


class Stopwatch(pl.Callback):
    """Times steps after a warm-up, then has some profiled, then ends the training.

    Attributes:
        seconds: of a step.
        busy: seconds of a step in which the device works; None where it is no GPU.
        launches: of kernels, of a step.
    """

    def __init__(self, place: Place, warm: int, steps: int, profiled: int) -> None:
        self.place, self.warm, self.steps, self.profiled = place, warm, steps, profiled
        self.done, self.start, self.seconds = 0, 0.0, 0.0
        self.busy: float | None = None
        self.launches: float | None = None

    @property
    def total(self) -> int:
        return self.warm + self.steps + self.profiled

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.done += 1
        if self.done == self.warm:
            self.place.wait()
            self.start = time.perf_counter()
        if self.done == self.warm + self.steps:
            self.place.wait()
            self.seconds = (time.perf_counter() - self.start) / self.steps
            if self.place.kind == "cuda":
                self.profiler = profile(activities=[ProfilerActivity.CUDA])
                self.profiler.start()
        if self.done == self.total:
            if self.place.kind == "cuda":
                self._read()
            trainer.should_stop = True

    def _read(self) -> None:
        self.place.wait()
        self.profiler.stop()
        events = [e for e in self.profiler.events() if e.device_type == torch.autograd.DeviceType.CUDA]
        self.busy = sum(e.time_range.elapsed_us() for e in events) / 1e6 / self.profiled
        self.launches = sum(not e.name.startswith("Mem") for e in events) / self.profiled


def rows(place: Place) -> Iterator[Row]:
    """Of one model after the other."""
    counted = stored()
    for name in MODELS[:: place.sized(1, 3)]:
        row: Row = {"model": name} | timed(place, name)
        if place.kind == "cuda":
            row["launches emulated, in float32"] = counted[f"{name}{SIZES}"]["step launches"]
        yield row


def timed(place: Place, name: str, *words: str, watchers: tuple[pl.Callback, ...] = ()) -> Row:
    """Figures of a step of a model."""
    watch = Stopwatch(place, place.sized(30, 1), place.sized(100, 2), place.sized(10, 1))
    config = sized(place, name, watch.total, *words)
    with place.active() as record:
        train(config, [Parts(record), watch, *watchers])
        emulated = summary(record).step
    row: Row = {"a step, ms": watch.seconds * 1e3}
    if watch.busy is not None and watch.launches is not None:
        row |= {
            "device busy, ms": watch.busy * 1e3,
            "busy share": watch.busy / watch.seconds,
            "launches": watch.launches,
        }
    if place.kind == "emulated":
        row |= {"launches": emulated.launches, "waits": emulated.waits.total(), "MB": emulated.bytes / 1e6}
        row |= {"GFLOP": emulated.flops / 1e9, "launches alone, ms": emulated.launches * LAUNCH * 1e3}
    return row


def sized(place: Place, name: str, steps: int, *words: str) -> DictConfig:
    """The configuration of so many steps of one epoch, with as many users as they need."""
    more = ["callbacks=none", *words]
    if place.small:
        config = small(name, place.cache_dir, *place.trainer, *more)
    else:
        config = published(name, place.cache_dir, *place.trainer, *more)
        windows = len(load_data(config.data).training_windows(0))
        config.data.num_users *= max(1, -(-steps * config.data.batch_size // windows))
    config.trainer.update({"max_epochs": 1, "limit_train_batches": steps, "limit_val_batches": 0})
    return config

"""Several trainings of SASRec on one device at a time: is a sweep better packed?"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from tests.device.audit import train
from tests.gpu.place import Place
from tests.gpu.report import Row
from tests.gpu.steps import sized

ROOT = Path(__file__).parents[2]
STEPS = 100_000  # more than anyone takes in the time that there is


class Window(pl.Callback):
    """Counts the steps of some seconds after a warm-up, then ends the training."""

    def __init__(self, place: Place, warm: int, seconds: float) -> None:
        self.place, self.warm, self.seconds = place, warm, seconds
        self.done, self.rate = 0, 0.0

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.done += 1
        if self.done == self.warm:
            self.place.wait()
            self.start = time.perf_counter()
        if self.done <= self.warm or self.rate:
            return
        if time.perf_counter() - self.start > self.seconds:
            self.place.wait()
            self.rate = (self.done - self.warm) / (time.perf_counter() - self.start)
            trainer.should_stop = True


def rows(place: Place) -> Iterator[Row]:
    """Of 1, 2, 4 and 8 processes, which begin together."""
    for count in (1, 2, 4, 8)[: place.sized(4, 2)]:
        command = [sys.executable, "-m", "tests.bench.gpu", "--worker", "--device", place.kind]
        command += ["--cache", str(place.cache_dir), *(["--small"] if place.small else [])]
        running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(count)]
        try:
            rates = [json.loads(process.communicate()[0].splitlines()[-1])["steps a second"] for process in running]
        finally:
            for process in running:
                process.kill()
        yield {"processes": count, "steps a second, together": sum(rates), "of the slowest": min(rates)}


def work(place: Place) -> None:
    """Be one of the processes: print the steps a second."""
    window = Window(place, place.sized(30, 1), place.sized(5, 1) / place.sized(1, 4))
    config = sized(place, "sasrec", 50)
    config.trainer.update({"max_epochs": STEPS, "limit_train_batches": None})
    with place.active():
        train(config, [window])
    print(json.dumps({"steps a second": window.rate}))

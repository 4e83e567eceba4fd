"""Train, validate and test a model on the emulated device, and count."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from omegaconf import DictConfig
from pytorch_lightning import Callback

from seqrec.metrics import ALL_ITEMS
from seqrec.training.build import build, load_data
from seqrec.training.catalog import with_catalog
from seqrec.training.fit import Fitted, fit
from seqrec.training.process import silence_libraries
from seqrec.training.stages import stages
from tests.device.configurations import EMULATED, FIRST_STAGE, small, words
from tests.device.emulation import Emulation
from tests.device.lightning import Parts
from tests.device.published import EPOCH_START, PUBLISHED, one_step
from tests.device.record import Notes, Record

SEEN_REMOVED = replace(ALL_ITEMS, remove_seen=True)  # the longer of two ways to rank


@dataclass(frozen=True)
class Found:
    """What a run did on the device.

    Attributes:
        step: the training step with most waits of those after the first of their epoch, the last of them: earlier
            ones may make what stays, such as the moments of weights that have no gradient in the first.
        epoch_start: the start of the last epoch, which continues what that of the first began.
        batch: the evaluation batch with most waits.
    """

    step: Notes
    epoch_start: Notes
    batch: Notes

    @property
    def numbers(self) -> dict[str, int]:
        """What may only fall."""
        return {
            "step waits": self.step.waits.total(),
            "step launches": self.step.launches,
            "evaluation batch waits": self.batch.waits.total(),
            "epoch start waits": self.epoch_start.waits.total(),
            "epoch start launches": self.epoch_start.launches,
        }

    @property
    def waits(self) -> dict[str, Counter[str]]:
        """What is waited for, and where."""
        parts = {"step": self.step, "evaluation batch": self.batch, "epoch start": self.epoch_start}
        return {name: notes.waits for name, notes in parts.items()}


def audit(name: str, cache_dir: Path, lines: bool = False) -> Found:
    """What a small model or variant does, or one of published sizes, by its name in the table.

    Raises:
        Refused: CUDA would refuse an operator.
    """
    if name in PUBLISHED or name == EPOCH_START:
        return run(one_step(name, cache_dir), lines=lines)
    return run(small(name, cache_dir, *EMULATED), FIRST_STAGE in words(name), lines)


def run(config: DictConfig, first_stage: bool = False, lines: bool = False) -> Found:
    """Train, validate and test what a configuration describes; with ``first_stage`` train what it begins with."""
    torch.set_num_threads(1)
    silence_libraries()
    emulation = Emulation(lines)
    with emulation, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            train(config, [Parts(emulation.record)], first_stage)
        except RuntimeError as error:
            raise (emulation.record.refused or error) from error.__cause__
    return summary(emulation.record)


def train(config: DictConfig, watchers: Sequence[Callback], first_stage: bool = False) -> Fitted:
    """The same on any device; nothing is printed, and no file stays behind."""
    with TemporaryDirectory() as place, redirect_stdout(io.StringIO()):
        data = load_data(config.data)
        config = with_catalog(config, data)
        if first_stage:
            config = stages(config, Path(place))[0][0].config
            data = load_data(config.data)
        model = build(config.model, SEEN_REMOVED, config.seed)
        fitted = fit(model, data, config, Path(place), watchers=watchers)
        if fitted.best:
            fitted.evaluate()
    return fitted


def summary(record: Record) -> Found:
    """The parts of a run that are looked at."""

    def most(part: str) -> Notes:
        found = [notes for name, notes in record.parts.items() if name.startswith(part)]
        return max(reversed(found), key=lambda notes: notes.waits.total(), default=Notes())

    last = [name for name in record.parts if name.startswith("epoch start")][-1]
    return Found(step=most("step"), epoch_start=record.parts[last], batch=most("evaluation batch"))

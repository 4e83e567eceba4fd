"""Ctrl+C during a training."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from seqrec.training.callbacks.interrupts import HeedInterrupts
from tests.training.line import BATCHES, fit


class LoseAnInterrupt(pl.Callback):
    """Ctrl+C at the third batch while code runs that drops any exception."""

    steps = 0

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        self.steps = trainer.global_step
        if self.steps == 3:
            with suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
                os.getpid()  # the handler runs between two instructions


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """Python's own handler, also where the tests run in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_lost_interrupt_ends_the_training_at_the_next_batch(tmp_path: Path) -> None:
    loser = LoseAnInterrupt()
    with pytest.raises(SystemExit):  # what Lightning makes of it
        fit(tmp_path, loser, HeedInterrupts())
    assert loser.steps == 3


def test_without_help_it_goes_on_to_the_end(tmp_path: Path) -> None:
    loser = LoseAnInterrupt()
    fit(tmp_path, loser, epochs=1)
    assert loser.steps == BATCHES


def test_the_signal_is_given_back(tmp_path: Path) -> None:
    fit(tmp_path, HeedInterrupts(), epochs=1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_interrupts_that_a_shell_ignores_stay_ignored(tmp_path: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loser = LoseAnInterrupt()
    fit(tmp_path, loser, HeedInterrupts(), epochs=1)
    assert loser.steps == BATCHES

"""How fast a training goes and when it will end at the latest."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Timer


@dataclass
class Phase:
    """Batches that follow one another: those of an epoch, of a validation or of a test.

    Attributes:
        total: batches of the whole phase; infinite where nobody knows.
        done: of them, also those before a resume.
        started: when the first batch of this process began, in seconds.
        begun: batches that were done by then.
    """

    total: float
    done: int = 0
    begun: int = 0
    started: float = field(default_factory=time.perf_counter)

    @property
    def known(self) -> bool:
        """Whether its length is known."""
        return not math.isinf(self.total)

    @property
    def rate(self) -> float:
        """Batches a second; 0 before the first."""
        return (self.done - self.begun) / max(time.perf_counter() - self.started, 1e-9)

    @property
    def left(self) -> float | None:
        """Seconds to the end of the phase; None where nobody can know."""
        if not self.rate or not self.known:
            return None
        return (self.total - self.done) / self.rate


@dataclass
class Pace:
    """What this process has trained and validated so far.

    Attributes:
        batches, seconds: of finished training epochs, with what a model does before its first batch.
        first_step: optimizer steps before this process.
        validation: seconds of the last whole validation; None before there was one.
    """

    first_step: int = 0
    batches: int = 0
    seconds: float = 0.0
    validation: float | None = None

    def add(self, epoch: Phase, seconds: float) -> None:
        """Count a finished epoch, which took ``seconds`` without its validation."""
        self.batches += epoch.done - epoch.begun
        self.seconds += seconds

    def left(self, trainer: pl.Trainer, epoch: Phase, seconds: float, validating: Phase | None) -> str:
        """Time to the end of the training in words, with validations and whatever budget ends it first.

        Args:
            trainer: knows the budgets.
            epoch: the running one.
            seconds: that it has taken.
            validating: where its validation runs.
        """
        budget = min((left for left in map(_time_left, _timers(trainer)) if left is not None), default=math.inf)
        batches = self.batches + epoch.done - epoch.begun
        training = self.seconds + seconds
        to_train = self._batches_left(trainer, epoch, batches)
        if not batches or math.isinf(to_train):
            return "" if math.isinf(budget) else f"at most {duration(budget)} left (max_time)"
        per_epoch = epoch.total * (trainer.check_val_every_n_epoch or 1)
        validations = 0 if math.isinf(per_epoch) or not _validates(trainer) else math.ceil(to_train / per_epoch)
        average = batches / max(training, 1e-9)
        now = min(to_train, epoch.total - epoch.done)
        expected = now / (epoch.rate or average) + (to_train - now) / average + validations * (self.validation or 0.0)
        if validating is not None:
            expected += validating.left or 0.0
        if budget < expected:
            return f"at most {duration(budget)} left (max_time)"
        if self.validation is None and _validates(trainer):
            return f"more than {duration(expected)} left"
        return f"{'at most ' if _may_stop_early(trainer) else ''}{duration(expected)} left"

    def _batches_left(self, trainer: pl.Trainer, epoch: Phase, batches: int) -> float:
        """Training batches to the end of the budget in epochs or in steps; infinite without one."""
        left = math.inf
        if trainer.max_epochs is not None and trainer.max_epochs >= 0:
            left = epoch.total - epoch.done + max(trainer.max_epochs - trainer.current_epoch - 1, 0) * epoch.total
        if trainer.max_steps >= 0 and batches:
            steps_a_batch = max(trainer.global_step - self.first_step, 1) / batches
            left = min(left, max(trainer.max_steps - trainer.global_step, 0) / steps_a_batch)
        return left


def duration(seconds: float) -> str:
    """Minutes and seconds, from an hour on with hours: ``1:20``, ``3:01:20``."""
    minutes, rest = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _timers(trainer: pl.Trainer) -> list[Timer]:
    return [callback for callback in trainer.callbacks if isinstance(callback, Timer)]  # type: ignore[attr-defined]


def _time_left(timer: Timer) -> float | None:
    return timer.time_remaining()


def _validates(trainer: pl.Trainer) -> bool:
    return sum(trainer.num_val_batches) > 0


def _may_stop_early(trainer: pl.Trainer) -> bool:
    early = trainer.early_stopping_callback
    return early is not None and early.patience < (trainer.max_epochs or math.inf)

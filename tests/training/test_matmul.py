"""TF32 is on in the steps of a training on a GPU and nowhere else, and what was set before comes back."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from seqrec.training.callbacks.matmul import MatmulPrecision
from tests.factories import quiet_trainer

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning", "ignore::FutureWarning")


class Seen(pl.Callback):
    """The precision in training steps and in validation, in their order; stops with an error where asked to."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.precision: list[str] = []

    def on_train_batch_start(self, *_: Any) -> None:
        self.precision.append(torch.get_float32_matmul_precision())
        if self.fails:
            raise RuntimeError("out of memory")

    def on_validation_batch_start(self, *_: Any) -> None:
        self.precision.append(torch.get_float32_matmul_precision())


class Line(pl.LightningModule):
    """One weight, two steps, a validation after each."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def training_step(self, batch: torch.Tensor, index: int) -> torch.Tensor:
        return self.weight * batch.sum()

    def validation_step(self, batch: torch.Tensor, index: int) -> None: ...

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.fixture(autouse=True)
def medium_before() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision(before)


def seen(callback: MatmulPrecision, fails: bool = False) -> list[str]:
    watcher = Seen(fails)
    batches: DataLoader[Any] = DataLoader([torch.ones(1)])  # type: ignore[arg-type]
    trainer = quiet_trainer(max_epochs=2, callbacks=[callback, watcher])
    trainer.fit(Line(), train_dataloaders=batches, val_dataloaders=batches)
    assert torch.get_float32_matmul_precision() == "medium"
    return watcher.precision


@pytest.fixture
def on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """The callback believes that the trainer's device is one of CUDA."""
    start = MatmulPrecision.on_fit_start
    there: Any = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("cuda", 0)))
    monkeypatch.setattr(MatmulPrecision, "on_fit_start", lambda self, trainer, module: start(self, there, module))


def test_steps_use_it_and_validation_does_not(on_cuda: None) -> None:
    assert seen(MatmulPrecision("high")) == ["high", "highest"] * 2


def test_a_training_that_stops_puts_it_back(on_cuda: None) -> None:
    with pytest.raises(RuntimeError, match="out of memory"):
        seen(MatmulPrecision("high"), fails=True)
    assert torch.get_float32_matmul_precision() == "medium"


def test_on_the_cpu_nothing_changes() -> None:
    assert seen(MatmulPrecision("high")) == ["medium"] * 4


def test_another_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="choose high, medium or highest"):
        MatmulPrecision("low")  # type: ignore[arg-type]

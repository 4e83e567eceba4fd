"""The clock of task=bench: what it counts without asking a batch, and that single steps are not waited for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from seqrec.training import measure
from seqrec.training.callbacks import clock
from seqrec.training.callbacks.clock import Clock
from tests.methods.small import made, trainer

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning", "ignore::FutureWarning")


class Count(pl.Callback):
    """Valid and supervised positions of all batches, by looking at them."""

    tokens = pairs = 0

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, out: Any, batch: Any, n: int) -> None:
        self.tokens += int((batch.items != 0).sum())
        self.pairs += int((batch.next_items != 0).sum())


@pytest.mark.parametrize("model", ["sasrec", "duorec"])
@pytest.mark.parametrize("steps", [2, None])
def test_counts_are_those_of_the_batches(model: str, steps: int | None, tmp_path: Path) -> None:
    """Windows that learn at all positions, and at the newest one."""
    module, data = made(tmp_path, f"model={model}", "data.batch_size=4")
    timed, counted = Clock(), Count()
    trainer(limit_train_batches=steps, callbacks=[timed, counted]).fit(module, datamodule=data)
    assert timed.steps == steps if steps else timed.steps > 2
    assert (timed.tokens, timed.pairs) == (counted.tokens, counted.pairs)
    assert 0 < timed.loops[0][0] <= timed.epochs[0][0]


def test_the_device_is_waited_for_as_often_for_many_steps_as_for_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    for steps in (2, 5):
        waited: list[torch.device] = []

        def note(device: torch.device, waited: list[torch.device] = waited) -> tuple[float, float]:
            waited.append(device)
            return float(len(waited)), 0.0

        for place in (measure, clock):
            monkeypatch.setattr(place, "done", note)
        module, data = made(tmp_path, "model=sasrec", "data.batch_size=4")
        trainer(limit_train_batches=steps, callbacks=[Clock()]).fit(module, datamodule=data)
        reads.append(len(waited))
    assert reads[0] == reads[1] > 0

"""What the terminal shows while a model trains."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from seqrec.training.callbacks.progress import EpochProgress


@pytest.mark.parametrize(
    ("before", "best"),
    [
        pytest.param(None, "0.2500", id="first epoch"),
        pytest.param(0.2, "0.2500", id="new best"),
        pytest.param(0.5, "0.5000", id="best before a resume"),
    ],
)
def test_the_best_so_far_is_that_of_the_checkpoint(
    before: float | None, best: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = None if before is None else torch.tensor(before)
    checkpoint = ModelCheckpoint(monitor="val/ndcg@10")
    checkpoint.best_model_score = kept
    trainer: Any = SimpleNamespace(
        callback_metrics={"val/ndcg@10": torch.tensor(0.25)},
        checkpoint_callback=checkpoint,
        current_epoch=7,
        is_global_zero=True,
    )
    progress = EpochProgress()
    module: Any = SimpleNamespace(monitor="ndcg@10")
    progress.on_train_epoch_end(trainer, module)
    assert capsys.readouterr().out.startswith(f"epoch    8  val ndcg@10 0.2500, best {best}, ")

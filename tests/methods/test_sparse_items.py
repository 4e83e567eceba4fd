"""A step on the item rows of its batch alone, next to one on the whole table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.methods.small import made, trainer

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning", "ignore::FutureWarning")

CHOICES = ["model=sasrec", "model/loss=gbce", "model.loss.num_negatives=4", "data.batch_size=4"]


def trained(cache: Path, steps: int, *choices: str) -> tuple[Any, list[Tensor]]:
    """The model after some steps and its item table before each of them."""
    model, data = made(cache, *CHOICES, *choices)
    tables: list[Tensor] = []
    model.on_train_batch_start = lambda *_: tables.append(model.backbone.item_embedding.weight.detach().clone())
    trainer(limit_train_batches=steps).fit(model, datamodule=data)
    return model, tables


def test_first_step_is_adams(tmp_path: Path) -> None:
    lazy, _ = trained(tmp_path, 1, "+overlay=sparse_items")
    plain, _ = trained(tmp_path, 1)
    wanted = dict(plain.named_parameters())
    for name, parameter in lazy.named_parameters():
        torch.testing.assert_close(parameter, wanted[name], rtol=0, atol=1e-6)


def test_rows_of_other_items_stay_and_adam_would_move_them(tmp_path: Path) -> None:
    still = []
    for choices in (["+overlay=sparse_items"], []):
        model, tables = trained(tmp_path, 3, *choices)
        after = model.backbone.item_embedding.weight.detach()
        still.append(int((tables[-1] == after).all(1).sum()))
    lazy, plain = still
    assert plain < lazy < len(tables[-1])

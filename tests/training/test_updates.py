"""Options of clipping and accumulation: who fulfils them, and which mean nothing."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import nn
from torch.utils.data import DataLoader

from seqrec.methods.base import Recommender
from seqrec.nn.schedules import LinearWarmup
from seqrec.training.updates import update_options
from tests.factories import quiet_trainer
from tests.methods.small import made, trainer
from tests.methods.small_easnrec import build

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning", "ignore::FutureWarning")


def options(**trainer: Any) -> Any:
    return OmegaConf.create(trainer)


def test_a_model_with_several_optimizers_is_told_and_lightning_is_not() -> None:
    model = build()
    given = options(gradient_clip_val=2, gradient_clip_algorithm="value", accumulate_grad_batches=3)
    quiet_trainer(**update_options(model, given))
    assert (model.clip_limit, model.clip_algorithm, model.accumulate) == (2, "value", 3)
    update_options(model, options(gradient_clip_val=None))
    assert (model.clip_limit, model.clip_algorithm, model.accumulate) == (None, "norm", 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"gradient_clip_val": -1.0}, "trainer.gradient_clip_val is -1.0"),
        ({"gradient_clip_val": float("nan")}, "trainer.gradient_clip_val is nan"),
        ({"gradient_clip_algorithm": "max"}, "choose one of norm, value"),
        ({"accumulate_grad_batches": 0}, "trainer.accumulate_grad_batches is 0; it must be at least 1"),
        ({"gradient_clip_val": 1.0}, "both trainer.gradient_clip_val=1.0 and model.clip_norm=2.0"),
    ],
)
def test_options_that_mean_nothing_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        update_options(build(clip_norm=2.0), options(**given))


class Slope(Recommender):
    """Its loss has a gradient of 3 and 4 at two numbers."""

    def __init__(self, **base: Any) -> None:
        super().__init__(build().backbone, **base)
        self.backbone.requires_grad_(False)
        self.point = nn.Parameter(torch.zeros(2))

    def training_step(self, batch: Any, batch_index: int) -> torch.Tensor:
        return (self.point * torch.tensor([3.0, 4.0])).sum()


def batches(count: int) -> DataLoader:
    numbers: Any = list(range(count))
    return DataLoader(numbers)


@pytest.mark.parametrize("fused", [False, True])
def test_gradients_are_clipped_at_their_own_scale_in_float16(fused: bool) -> None:
    """The loss is multiplied by 1024 before backward; a fused optimizer divides within its step."""
    model = Slope(optimizer=partial(torch.optim.SGD, lr=1.0, fused=fused))
    scaled = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=1024.0))
    run = trainer(plugins=[scaled], gradient_clip_val=1.0, limit_train_batches=1)
    run.fit(model, batches(1))
    torch.testing.assert_close(model.point.detach(), torch.tensor([-0.6, -0.8]))


def test_a_warm_up_takes_a_step_with_each_of_the_optimizer() -> None:
    model = Slope(optimizer=partial(torch.optim.SGD, lr=1.0, fused=True), scheduler=partial(LinearWarmup, num_steps=4))
    trainer(accumulate_grad_batches=2).fit(model, batches(6))
    torch.testing.assert_close(model.point.detach(), -(0.25 + 0.5 + 0.75) * torch.tensor([3.0, 4.0]))


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_gradients_of_the_rows_that_were_used_are_clipped_too(tmp_path: Any, precision: Any) -> None:
    choices = ["model=sasrec", "model/loss=gbce", "model.loss.num_negatives=4", "+overlay=sparse_items"]
    model, data = made(tmp_path, *choices)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    model.build_optimizer = partial(torch.optim.SGD, lr=1.0)
    trainer(gradient_clip_val=1e-3, limit_train_batches=1, precision=precision).fit(model, datamodule=data)
    moves = torch.cat([(p - start[name]).flatten() for name, p in model.named_parameters()])
    assert 0.9e-3 < moves.norm() < 1.01e-3

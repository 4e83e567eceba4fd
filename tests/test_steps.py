"""A step of every model of conf/model under clipping and accumulation, in full precision and as trainer=gpu has it."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from torch.optim import Optimizer

from seqrec.data.sets.synthetic import Synthetic
from seqrec.methods.base import Recommender
from seqrec.methods.ranker import Ranker
from seqrec.training.fit import fit
from tests.choice import REPRESENTATIVE, thorough_but
from tests.factories import shrink

CONF = Path(__file__).parents[1] / "conf"
MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
LIMIT = 1e-3
SIZES = {"num_users": 40, "num_items": 30, "shortest": 8, "longest": 14, "max_length": 10, "batch_size": 4}

ALLOWED = {name: {"train/loss": 0.1, "train/recommendation": 5e-3} for name in ("icsrec", "fenrec")}
"""How far a term may be off in bfloat16, relative to itself, where that is more than 0.002.

Of a batch of four, a state between two centroids may belong to the one or the other.
"""

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning", "ignore::FutureWarning")


class Built(NamedTuple):
    """A small model with the configuration of ``trainer=gpu``, on the CPU, and its data."""

    name: str
    config: DictConfig
    model: Ranker
    data: Synthetic


@pytest.fixture(scope="module", params=thorough_but(REPRESENTATIVE, MODELS))
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    words = [f"model={request.param}", "data=synthetic", "callbacks=none", "trainer=gpu", "trainer.accelerator=cpu"]
    words += [f"data.{key}={value}" for key, value in SIZES.items()]
    words += [f"data.cache_dir={tmp_path_factory.getbasetemp() / 'cache-of-steps'}"]
    words += ["catalog.num_items=30", "catalog.num_users=40", "catalog.num_attributes=15"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", [*words, "catalog.attributes_per_item=3"])
    OmegaConf.set_struct(config, False)
    shrink(config.model)
    assert config.trainer.precision == "bf16-mixed"
    data: Synthetic = instantiate(config.data)
    data.setup()
    torch.manual_seed(0)
    return Built(request.param, config, instantiate(config.model, _convert_="all"), data)


class Steps(pl.Callback):
    """Notes the gradients of each optimizer at its steps, and the terms of the losses."""

    def __init__(self) -> None:
        self.gradients: dict[Optimizer, list[list[Tensor]]] = {}
        self.terms: list[dict[str, float]] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for optimizer in trainer.optimizers:
            self.gradients[optimizer] = []
            optimizer.register_step_post_hook(self.note)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if isinstance(pl_module, Recommender):
            self.terms.append({name: float(value) for name, value in pl_module.last_terms.items()})

    def note(self, optimizer: Optimizer, *_: Any) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self.gradients[optimizer].append([p.grad.clone() for p in parameters if p.grad is not None])


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize(
    ("updates", "batches"),
    [
        pytest.param({"gradient_clip_val": LIMIT}, 1, id="clipping"),
        pytest.param({"accumulate_grad_batches": 2}, 2, id="accumulation"),
    ],
)
def test_one_step(built: Built, precision: str, updates: dict[str, Any], batches: int, tmp_path: Path) -> None:
    config, model, data = built.config.copy(), deepcopy(built.model), built.data
    config.trainer.update(
        {"max_epochs": 1, "limit_train_batches": batches, "limit_val_batches": 0, "precision": precision} | updates
    )
    steps = Steps()
    fit(model, data, config, tmp_path, watchers=[steps])
    if not isinstance(model, Recommender):
        return  # it counts
    assert steps.gradients
    for taken in steps.gradients.values():
        assert len(taken) == 1
        norm = torch.stack([gradient.norm() for gradient in taken[0]]).norm()
        assert norm > 0
        if "gradient_clip_val" in updates:
            assert norm < 1.001 * LIMIT
    before = dict(built.model.named_parameters())
    moved = [name for name, p in model.named_parameters() if not torch.equal(p, before[name])]
    assert moved
    assert all(p.dtype == torch.float32 and bool(torch.isfinite(p).all()) for p in model.parameters())


def test_losses_in_bfloat16(built: Built, tmp_path: Path) -> None:
    """Of eight steps, beside those in full precision."""
    seen = []
    for precision in ("32-true", "bf16-mixed"):
        config, steps = built.config.copy(), Steps()
        config.trainer.update({"max_epochs": 1, "limit_train_batches": 8, "limit_val_batches": 0})
        config.trainer.precision = precision
        torch.manual_seed(1)
        fit(deepcopy(built.model), built.data, config, tmp_path, watchers=[steps])
        seen.append(steps.terms)
    if not isinstance(built.model, Recommender):
        return
    full, half = seen
    assert len(full) == len(half) == 8
    apart = {name: max(abs(b[name] / a[name] - 1) for a, b in zip(full, half, strict=True)) for name in full[0]}
    allowed = ALLOWED.get(built.name, {})
    for name in ("train/loss", "train/recommendation"):
        assert apart.get(name, 0.0) < allowed.get(name, 2e-3), apart
    assert any(apart.values()) is (built.name != "bpr"), "a model that multiplies matrices is a little off"

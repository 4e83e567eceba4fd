"""What a GPU computes, with dense packings and chosen positions by index, against what the CPU does: two steps."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch import Tensor

from seqrec.methods.ranker import Ranker
from seqrec.metrics import ALL_ITEMS
from seqrec.nn.dropout import Dropout
from seqrec.nn.packing import DensePacking, Packing, packed_as
from seqrec.training.build import build
from seqrec.training.catalog import with_catalog
from tests.factories import shrink
from tests.methods.small import CONF, SMALL, trainer

COUNTING = {"popularity", "markov"}
MODELS = sorted({path.stem for path in (CONF / "model").glob("*.yaml")} - COUNTING)
VARIANTS = {
    "gru4rec, negatives shared by many": ["model=gru4rec", "model/loss=bpr_max", "model.loss.group_size=20"],
    "gru4rec, sampled softmax shared by many": ["model=gru4rec", "model/loss=shared_softmax"],
    "sasrec, gbce": ["model=sasrec", "model/loss=gbce"],
    "sasrec, bce": ["model=sasrec", "model/loss=bce"],
    "sasrec, newest items": ["model=sasrec", "model/loss=ce"],
    "sasrec, three windows a user": ["model=sasrec", "windows=random_cut"],
    "bert4rec, exact share": ["model=bert4rec", "model/masks=exact_share", "model.last_ratio=0.0"],
    "bert4rec, newest": ["model=bert4rec", "model.last_ratio=1.0"],
    "easnrec, turns": ["model=easnrec", "model.adversarial=alternating", "model/similarity=split"],
    "easnrec, another memory": ["model=easnrec", "model.backbone.memory.write_norm=token_softmax"],
    "easnrec, sums in the memory": ["model=easnrec", "model.backbone.memory.write_norm=sum", "model/siamese=cnn"],
    "easnrec, convolutions": ["model=easnrec", "model/siamese=transformer", "model/contrast=dsa"],
    "elecrec, right-padded": ["model=elecrec", "model.padding_learns=false"],
    "ecl_sr, right-padded": ["model=ecl_sr", "model.padding_learns=false"],
    "fenrec, without a warm-up": ["model=fenrec", "model.pair_contrast.warmup_epochs=0"],
}
CASES = {name: [f"model={name}"] for name in MODELS} | VARIANTS

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


def without_draws(model: Ranker) -> None:
    """Nothing is drawn whose number depends on the form: no dropout, no noise on what is packed."""
    for module in model.modules():
        for name in ("dropout", "attention_dropout", "noise_std", "noise_scale"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
        if isinstance(module, Dropout):
            module.p = 0.0


def steps(
    cache: Path, choices: list[str], form: type[Packing], backend: str | None = None
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights after two steps of gradient descent, compiled with a backend or not, and what was logged."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        sizes = [*SMALL[:6], "data.batch_size=8", f"data.cache_dir={cache}"]
        config = compose("config", ["data=synthetic", *sizes, *choices])
    shrink(config.model)
    data = instantiate(config.data)
    data.setup()
    model: Any = build(with_catalog(config, data).model, ALL_ITEMS, 0).double()
    without_draws(model)
    model.build_optimizer = partial(torch.optim.SGD, lr=0.5)
    if backend is not None:
        model.compile_parts(backend)
    with packed_as(form):
        run = trainer(limit_train_batches=2)
        run.fit(model, datamodule=data)
    return model.state_dict(), run.callback_metrics


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("name", CASES)
def test_both_forms_learn_the_same(name: str, cache: Path) -> None:
    (weights, logged), (dense_weights, dense_logged) = (
        steps(cache, CASES[name], form) for form in (Packing, DensePacking)
    )
    assert logged and logged.keys() == dense_logged.keys()
    torch.testing.assert_close(dict(dense_logged), dict(logged), rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(dict(dense_weights), dict(weights), rtol=1e-6, atol=1e-8)

"""Three processes that share each batch learn what one learns from the whole: weights after some steps, no dropout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from seqrec.training.fit import fit
from tests.factories import shrink
from tests.methods.small import CONF
from tests.two_ranks import on_ranks

RANKS = 3
MODELS = {
    "cl4srec": ["model=cl4srec"],
    "iclrec": ["model=iclrec"],
    "fenrec": ["model=fenrec", "model.pair_contrast.warmup_epochs=0", "model.pair_contrast.noise_ratio=0"],
    "easnrec": ["model=easnrec"],
    "easnrec, in turns": ["model=easnrec", "model.adversarial=alternating", "model/similarity=split"],
}
# Users with as many items each, whose losses are means over as many positions on each process.
SIZES = {"num_users": 60, "num_items": 40, "shortest": 12, "longest": 12, "max_length": 9, "batch_size": 21}

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning", "ignore::FutureWarning"),
]


def without_draws(node: DictConfig) -> None:
    """No dropout and no noise, whose draws depend on how a batch is shared; steps by gradients as they are."""
    for key in map(str, node):
        if OmegaConf.is_interpolation(node, key):
            continue
        if "dropout" in key or key == "noise_std":
            node[key] = 0.0
        elif key == "optimizer":
            node[key] = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.5}
        elif isinstance(node[key], DictConfig):
            without_draws(node[key])


def weights(name: str, ranks: int, folder: Path) -> dict[str, Tensor]:
    """Of a small model after ten steps."""
    words = [*MODELS[name], "data=synthetic", "callbacks=none", "trainer=cpu", f"data.cache_dir={folder / 'cache'}"]
    words += [f"data.{key}={value}" for key, value in SIZES.items()]
    words += ["catalog.num_items=40", "catalog.num_users=60"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", words)
    OmegaConf.set_struct(config, False)
    shrink(config.model)
    without_draws(config.model)
    budget = {"max_epochs": 1, "limit_train_batches": 10, "limit_val_batches": 0}
    config.trainer.update({**budget, "devices": ranks, "num_sanity_val_steps": 0})
    config.trainer.strategy = "ddp_find_unused_parameters_true" if ranks > 1 else "auto"
    torch.manual_seed(0)
    model, data = instantiate(config.model, _convert_="all"), instantiate(config.data)
    fit(model, data, config, folder)
    return {key: value.clone() for key, value in model.state_dict().items()}


def on_a_rank(rank: int, folder: Path) -> None:
    launcher = {"WORLD_SIZE": str(RANKS), "RANK": str(rank), "LOCAL_RANK": str(rank), "TORCHELASTIC_RUN_ID": "one"}
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}  # of a group that there is
    with pytest.MonkeyPatch.context() as patch:
        for key, value in {**launcher, **address}.items():
            patch.setenv(key, value)
        found = {name: weights(name, RANKS, folder) for name in MODELS}
    torch.save(found, folder / f"{rank}.pt")


@pytest.fixture(scope="module")
def of_ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict[str, Tensor]]]:
    folder = tmp_path_factory.mktemp("three")
    on_ranks(RANKS, on_a_rank, folder)
    return [torch.load(folder / f"{rank}.pt") for rank in range(RANKS)]


@pytest.mark.parametrize("name", MODELS)
def test_weights_are_those_of_one_process(
    name: str, of_ranks: list[dict[str, dict[str, Tensor]]], tmp_path: Path
) -> None:
    alone = weights(name, 1, tmp_path)
    for found in of_ranks:
        assert found[name].keys() == alone.keys()
        for key, value in alone.items():
            torch.testing.assert_close(found[name][key], value, rtol=1e-4, atol=1e-5)

"""Methods made for a Transformer train on another backbone that one word on the command line chooses."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate

import seqrec.cli.main  # noqa: F401  registers the resolvers
from seqrec.cli.overrides import check_configuration

SIZES = {"num_users": 20, "num_items": 50, "shortest": 8, "longest": 20, "batch_size": 10, "max_length": 20}


@pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning", "ignore::FutureWarning")
@pytest.mark.parametrize("backbone", ["gru"])
@pytest.mark.parametrize("method", ["icsrec", "fenrec", "cl4srec", "duorec"])
def test_training_step(method: str, backbone: str, tmp_path: Path) -> None:
    config = check_configuration([f"model={method}", f"model/backbone={backbone}"])
    config.catalog.num_items = SIZES["num_items"]
    config.data.merge_with(SIZES | {"cache_dir": str(tmp_path)})
    if "num_clusters" in config.model:
        config.model.num_clusters = 4
    torch.manual_seed(0)
    model = instantiate(config.model, _convert_="all")
    before = {name: parameter.detach().clone() for name, parameter in model.backbone.named_parameters()}
    trainer = pl.Trainer(
        accelerator="cpu", max_steps=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, num_sanity_val_steps=0, limit_val_batches=0,
    )  # fmt: skip
    trainer.fit(model, datamodule=instantiate(config.data))
    still = [name for name, p in model.backbone.named_parameters() if torch.equal(p, before[name])]
    assert not still
    assert bool(torch.isfinite(trainer.callback_metrics["train/loss"]))


@pytest.mark.parametrize(("backbone", "owner"), [("mssr", "MSSR"), ("graph_transformer", "MAERec")])
def test_a_network_of_one_method_is_refused_under_others(backbone: str, owner: str) -> None:
    config = check_configuration(["model=sasrec", f"model/backbone={backbone}", "settings=none"])
    config.catalog.merge_with({"num_items": 50, "num_attributes": 4, "attributes_per_item": 2})
    with pytest.raises(InstantiationException) as caught:
        instantiate(config.model, _convert_="all")
    assert f"only {owner} can use, not NextItem; choose another model/backbone" in str(caught.value.__cause__)


@pytest.mark.parametrize("model", ["easnrec", "lrurec", "mvs"])
def test_a_method_that_learns_everywhere_refuses_states_that_see_the_future(model: str) -> None:
    config = check_configuration([f"model={model}", "model/backbone=bidirectional", "settings=none"])
    config.catalog.num_items = 50
    with pytest.raises(InstantiationException) as caught:
        instantiate(config.model, _convert_="all")
    assert "choose a causal model/backbone" in str(caught.value.__cause__)

"""Methods made for a Transformer train on another backbone that one word on the command line chooses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from torch import Tensor

from seqrec.backbones.base import Backbone
from seqrec.cli.overrides import check_configuration
from seqrec.methods.backbones import check_backbone
from seqrec.methods.next_item import NextItem
from tests.factories import quiet_trainer

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
    trainer = quiet_trainer(max_steps=1, limit_val_batches=0)
    trainer.fit(model, datamodule=instantiate(config.data))
    still = [name for name, p in model.backbone.named_parameters() if torch.equal(p, before[name])]
    assert not still
    assert bool(torch.isfinite(trainer.callback_metrics["train/loss"]))


@pytest.mark.parametrize("backbone", ["mssr", "graph_transformer"])
def test_a_network_of_one_method_is_refused_under_others(backbone: str) -> None:
    config = check_configuration(["model=sasrec", f"model/backbone={backbone}", "settings=none"])
    config.catalog.merge_with({"num_items": 50, "num_attributes": 4, "attributes_per_item": 2})
    with pytest.raises(InstantiationException) as caught:
        instantiate(config.model, _convert_="all")
    assert "only a method made for it can use, not NextItem; choose another" in str(caught.value.__cause__)


def test_backbones_are_checked_against_what_a_method_needs() -> None:
    class Seeing(Backbone):
        def __init__(self, causal: bool, general: bool = True) -> None:
            super().__init__(3, 2)
            self.causal, self.general = causal, general

        def encode(self, x: Tensor, valid: Tensor) -> Tensor:
            return x

    class Other(Seeing): ...

    check_backbone(NextItem, Seeing(False), Backbone, None)
    check_backbone(NextItem, Other(True), Seeing, True)
    check_backbone(NextItem, Seeing(True, general=False), Seeing, True)
    with pytest.raises(ValueError, match="NextItem needs a Other, not a Seeing; choose another model/backbone"):
        check_backbone(NextItem, Seeing(True), Other, None)
    with pytest.raises(ValueError, match="only a method made for it"):
        check_backbone(NextItem, Seeing(True, general=False), Backbone, None)
    with pytest.raises(ValueError, match="choose a causal model/backbone"):
        check_backbone(NextItem, Seeing(False), Backbone, True)
    with pytest.raises(ValueError, match="causal=false"):
        check_backbone(NextItem, Seeing(True), Backbone, False)


@pytest.mark.parametrize("model", ["easnrec", "lrurec", "mvs"])
def test_a_method_that_learns_everywhere_refuses_states_that_see_the_future(model: str) -> None:
    config = check_configuration([f"model={model}", "model/backbone=bidirectional", "settings=none"])
    config.catalog.num_items = 50
    with pytest.raises(InstantiationException) as caught:
        instantiate(config.model, _convert_="all")
    assert "choose a causal model/backbone" in str(caught.value.__cause__)

"""What a run would need only at its end is looked at before its first epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from seqrec.training.start_check import check_callbacks, check_values

CONF = Path(__file__).parents[2] / "conf"


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config: DictConfig = compose("config", list(overrides))
    return config


@pytest.mark.parametrize("model", ["popularity", "markov", "s3rec"])
def test_a_model_without_a_monitor_of_its_own_fits_any_cutoffs(model: str) -> None:
    """Of S3-Rec that is the first stage."""
    own = ["model.monitor=mrr"] if model == "s3rec" else []
    assert check_values(composed(f"model={model}", "protocol.cutoffs=[1,5]", *own)).monitor(None) == "ndcg@5"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["protocol.cutoffs=[1,5]"], "model.monitor is 'ndcg@10'.*one of recall@1, recall@5, ndcg@1, ndcg@5, mrr"),
        (["model.monitor=hit@10"], "model.monitor is 'hit@10'"),
        (["model=mvs", "model.monitor=mrr", "warm_start.model.monitor=ndcg@3"], "warm_start.model.monitor is 'ndcg@3'"),
        (["model=popularity", "protocol.cutoffs=[]"], r"protocol.cutoffs is \[\]"),
        (["protocol.cutoffs=[0,10]"], "whole numbers of at least 1"),
        (["protocol.cutoffs=[-1,10]"], "whole numbers of at least 1"),
        (["protocol.cutoffs=[10,10]"], "distinct"),
        (["protocol.cutoffs=[10,true]"], "whole numbers"),
        (["name=123"], "name=123: it must be text"),
        (["seed=null"], "seed=None: it must be a whole number"),
        (["seed=-1"], "from 0 to 4294967295"),
        (["patience=-1"], "patience=-1: it must be at least 1 epoch, or null"),
        (["patience=0"], "patience=0"),
        (["patience_steps=0"], "patience_steps=0: it must be at least 1 step, or null"),
        (["model=mvs", "warm_start.patience=0"], "warm_start.patience=0"),
        (["model.backbone.num_layers=0"], "model.backbone.num_layers=0: it must be at least 1"),
        (["model=s3rec", "warm_start.model.backbone.dim=0"], "warm_start.model.backbone.dim=0"),
    ],
)  # fmt: skip
def test_values_that_do_not_fit_one_another(overrides: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_values(composed("model=sasrec", *overrides))


def test_weights_and_log_must_be_stored() -> None:
    check_callbacks(composed().callbacks)
    for options, missing in ((["callbacks=none"], "last"), (["callbacks.epoch_log=null"], "epoch_log")):
        with pytest.raises(ValueError, match=f"callbacks.{missing} is missing"):
            check_callbacks(composed(*options).callbacks)


def test_a_name_that_looks_like_a_number_may_be_quoted() -> None:
    values: Any = composed("name='123'")
    assert values.name == "123"
    check_values(values)

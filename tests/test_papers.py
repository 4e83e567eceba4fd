"""Rows of papers: what ``paper=`` composes is what the experiment files composed that it replaces."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from seqrec.cli.overrides import CONF, check_configuration
from seqrec.runs.moved import upgraded

STORED = json.loads(gzip.decompress((Path(__file__).parent / "golden" / "experiments.json.gz").read_bytes()))
"""For each ``+experiment=<name>`` of version 0.1 the arguments of today, and the configuration as composed then."""

PAPERS = {"easnrec": ("ml1m", "sports", "yelp"), "fenrec": ("beauty", "sports", "toys", "yelp")}
"""The data sets of each paper's tables."""


def test_every_former_experiment_is_stored() -> None:
    assert len(STORED) == 98
    assert len({experiment["arguments"] for experiment in STORED.values()}) == 98


@pytest.mark.parametrize("name", STORED)
def test_row_is_the_former_experiment(name: str) -> None:
    """Value for value; only the name of the protocol, loggers and where the data lies are left out."""
    before = upgraded(STORED[name]["config"])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("config", STORED[name]["arguments"].split())
    after: Any = OmegaConf.to_container(composed, resolve=True, throw_on_missing=False)
    for machine in ("root", "cache_dir"):
        del after["data"][machine]
    for since in ("first", "last"):  # Yelp's period, by default the former one
        after["data"].pop(since, None)
    assert after["protocol"].pop("name") == ("unseen_items" if before["protocol"]["remove_seen"] else "all_items")
    listed = before["trainer"]  # today's may list more of Lightning's options
    after["trainer"] = {key: value for key, value in after["trainer"].items() if key in listed}
    for section, values in before.items():
        assert after[section] == values, f"{section} of {STORED[name]['arguments']}"


@pytest.mark.parametrize("paper", PAPERS)
def test_every_model_has_a_row(paper: str) -> None:
    """As in ``-m paper=fenrec 'model=glob(*)' data=beauty,toys``, models without weights among them."""
    data = ",".join(PAPERS[paper])
    config = check_configuration([f"paper={paper}", "model=glob(*)", f"data={data}"], multirun=True)
    assert config.protocol.name == {"easnrec": "all_items", "fenrec": "unseen_items"}[paper]


def test_two_papers_may_differ_on_one_model_and_data_set() -> None:
    row = ["model=caser", "data=sports"]
    easnrec, fenrec = (check_configuration([f"paper={paper}", *row], targets=False) for paper in PAPERS)
    sizes = [(config.model.backbone.dim, config.data.batch_size) for config in (easnrec, fenrec)]
    assert sizes == [(256, 128), (64, 256)]
    assert check_configuration(row, targets=False).model == easnrec.model


def test_patience_counts_steps_where_a_paper_has_few_an_epoch() -> None:
    of_paper = check_configuration(["paper=easnrec", "model=easnrec", "data=ml1m"], targets=False)
    assert (of_paper.patience, of_paper.callbacks.early_stopping.patience_steps) == (10, 5000)
    for other in (["model=easnrec", "data=ml1m"], ["paper=fenrec", "model=fenrec", "data=beauty"]):
        assert check_configuration(other, targets=False).callbacks.early_stopping.patience_steps is None


def test_a_value_of_the_command_line_wins_over_the_paper() -> None:
    config = check_configuration(
        ["paper=fenrec", "model=mvs", "data=beauty", "protocol=all_items", "data.batch_size=8"]
    )
    assert (config.protocol.remove_seen, config.data.batch_size) == (False, 8)


def test_files_of_a_paper_are_of_its_data_sets() -> None:
    for file in (CONF / "paper_settings").glob("*/*/*.yaml"):
        paper, model, name = file.relative_to(CONF / "paper_settings").with_suffix("").parts
        assert name in PAPERS[paper], file
        assert (CONF / "model" / f"{model}.yaml").exists(), file

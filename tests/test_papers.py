"""Rows of papers: every cell of their tables composes to what is printed or released, and says which values are ours.

What ``paper=`` composes is also what the former experiment files composed, but for what is changed on purpose.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from seqrec.cli import tree
from seqrec.cli.overrides import CONF, check_configuration
from seqrec.runs.moved import upgraded
from tests.factories import build

GOLDEN = Path(__file__).parent / "golden"
STORED = json.loads(gzip.decompress((GOLDEN / "experiments.json.gz").read_bytes()))
"""For each ``+experiment=<name>`` of version 0.1 the arguments of today, and the configuration as composed then."""

PAPERS = yaml.safe_load((GOLDEN / "papers.yaml").read_text())
CELLS = [(paper, model, data) for paper, table in PAPERS.items() for model in table["models"] for data in table["data"]]
VARIANTS = [
    (paper, model, data, part)
    for paper, table in PAPERS.items()
    for model, parts in table["variants"].items()
    for part in parts
    for data in table["data"]
]
NEEDED = {"model.backbone.dim", "model.optimizer.lr", "data.batch_size", "data.max_length"}

PREFIXES = {"data.windows._target_": "seqrec.data.windows.prefixes"}
SIZES = {"model.backbone.dim": 256, "model.optimizer.lr": 0.0001, "data.batch_size": 128}
NETWORKS = {**SIZES, "model.generator.dim": 256}
OF_MSSR = {"data.batch_size": 128, "model.backbone.num_heads": 2}
LONGER = ("data.max_length", "model.backbone.max_length", "model.generator.max_length")
EASNREC, FENREC = (PAPERS[paper]["data"] for paper in ("easnrec", "fenrec"))
READINGS = {
    "model.contrast.positive": "seqrec.methods.easnrec.positives.SecondPass",
    "model.similarity": "seqrec.methods.easnrec.similarity.Joint",
    "model.generated_states": "seqrec.methods.easnrec.similarity.generator_states",
    "model.masking": "seqrec.functional.augment.masked_positions",
    "model.pool": "seqrec.functional.pooling.newest_mean",
}
"""Parts of EASNRec that could not be chosen formerly."""
BUILT = {"model.contrast.positive", "model.similarity"}  # objects; the others are functions

OF_READINGS = {
    **{f"{part}._target_": target for part, target in READINGS.items()},
    **{f"{part}._partial_": True for part in READINGS if part not in BUILT},
    "model.masking.extra": 0,
    "model.similarity.relaxed": True,
    **{f"model.{owner}memory.slots": "learned" for owner in ("backbone.", "generator.")},
    **{f"model.{owner}memory.initial_std": 4.0 for owner in ("backbone.", "generator.")},
    **{f"model.{owner}memory_layers": "last" for owner in ("backbone.", "generator.")},
}
WEIGHTS = [f"model.{term}_weight" for term in ("contrast", "generator", "discriminator")]
BALANCE = {
    "ml1m": (0.0017, 0.35, 0.086),
    "sports": (19.0, 4.7, 0.47),
    "toys": (0.9, 0.18, 0.09),
    "yelp": (2.1, 1.4, 0.7),
}
"""ECL-SR's weights, divided by the share of positions that are not padding."""

CHANGED: dict[str, Mapping[str, Any]] = {
    "easnrec/beauty": OF_READINGS | {"model.contrast_weight": 0.1},
    **{f"easnrec/{data}": OF_READINGS | dict(zip(WEIGHTS, values, strict=True)) for data, values in BALANCE.items()},
    **{f"{model}/{data}": PREFIXES for model in ("gru4rec", "s3rec", "xlstm_lsr") for data in EASNREC},
    **{f"gru4rec/{data}": PREFIXES for data in ("beauty", "toys")},
    **{f"{model}/ml1m": SIZES for model in ("coserec", "iclrec")},
    **{f"{model}/{data}": NETWORKS for model in ("ecl_sr", "elecrec") for data in EASNREC},
    "ecl_sr/ml1m": NETWORKS | dict.fromkeys(LONGER, 200),
    "bert4rec/beauty": {"model.optimizer.weight_decay": 0},  # as without the key; its settings without a paper have one
    "mssr/sports": OF_MSSR,
    "mssr/yelp": OF_MSSR | {"model.backbone.num_layers": 2},
    **{f"lrurec/{data}": {"patience": epochs} for data, epochs in zip(FENREC, (114, 72, 132, 84), strict=True)},
}
"""What differs from the former experiment on purpose: the paper's samples and sizes, and patience for its batches."""


@cache
def row(*arguments: str) -> DictConfig:
    """What Hydra composes of the arguments of a command line, which the check composes too; not to be changed."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return tree.compose("config", list(arguments), return_hydra_config=True)


@cache
def checked(paper: str, model: str, data: str) -> DictConfig:
    """The configuration of a cell, which passed the check of a command line; not to be changed."""
    return check_configuration([f"paper={paper}", f"model={model}", f"data={data}"])


def of_cell(values: Mapping[str, Any], data: str) -> dict[str, Any]:
    """Values that a source of ``papers.yaml`` has for one data set."""
    chosen = {key: value.get(data) if isinstance(value, dict) else value for key, value in values.items()}
    return {key: value for key, value in chosen.items() if value is not None}


def sources_of(paper: str, model: str, data: str) -> dict[str, dict[str, Any]]:
    """What is printed, released and ours of a cell."""
    every, own = PAPERS[paper]["every"], PAPERS[paper]["models"][model] or {}
    sources = {source: of_cell(own.get(source, {}), data) for source in ("printed", "released", "ours")}
    known = {key for values in sources.values() for key in values} | set(own.get("without", []))
    for source, values in sources.items():
        values |= {key: value for key, value in of_cell(every.get(source, {}), data).items() if key not in known}
    return sources


def files(paper: str, model: str, data: str) -> Iterator[Path]:
    """The files that a cell is made of and that may say what is ours."""
    below = CONF / "paper_settings" / paper
    yield CONF / "paper" / f"{paper}.yaml"
    yield CONF / "model" / f"{model}.yaml"
    yield CONF / "settings" / model / f"{data}.yaml"
    yield from (below / "base.yaml", below / model / "base.yaml", below / model / f"{data}.yaml")


def said_to_be_ours(path: Path) -> str:
    """The text of a file's comments from "Ours:" to the end of their block."""
    lines = path.read_text().splitlines() if path.exists() else []
    text = "\n".join(line[1:].strip() if line.startswith("#") else "" for line in lines)
    return " ".join(" ".join(found.split()) for found in re.findall(r"Ours:((?:.+\n?)*)", text))


def test_the_tables_are_whole() -> None:
    """The rows of EASNRec's Table 2, FENRec's Table 1 and the board, and of ablations and exchanged parts."""
    rows = {paper: len(table["models"]) for paper, table in PAPERS.items()}
    assert rows == {"easnrec": 14, "fenrec": 15, "recboard": 6}
    assert (len(CELLS), len(VARIANTS)) == (14 * 3 + 15 * 4 + 6 * 3, 7 * 3 + 4 * 4)


@pytest.mark.parametrize(("paper", "model", "data"), CELLS)
def test_a_cell_has_the_settings_that_are_printed_or_released(paper: str, model: str, data: str) -> None:
    config, sources = checked(paper, model, data), sources_of(paper, model, data)
    published = sources["printed"] | sources["released"]
    found = {key: OmegaConf.select(config, key) for key in published}
    assert {key: OmegaConf.to_object(v) if OmegaConf.is_list(v) else v for key, v in found.items()} == published
    protocol = "unseen_items" if (paper, model) == ("easnrec", "bpr") else PAPERS[paper]["protocol"]
    assert config.protocol.name == protocol
    assert {*published, *sources["ours"]} >= NEEDED
    assert len({*published, *sources["ours"]}) == sum(map(len, sources.values())), "a value has one source"


@pytest.mark.parametrize(("paper", "model", "data"), CELLS)
def test_a_cell_says_which_values_are_ours(paper: str, model: str, data: str) -> None:
    config, sources = checked(paper, model, data), sources_of(paper, model, data)
    text = " ".join(said_to_be_ours(path) for path in files(paper, model, data))
    for key, words in sources["ours"].items():
        assert OmegaConf.select(config, key) is not None, key
        assert words in text, f"{key}: {words!r} is not in {text!r}"


@pytest.mark.thorough
@pytest.mark.parametrize(("paper", "model", "data"), CELLS)
def test_a_cell_passes_the_check_and_its_model_can_be_built(paper: str, model: str, data: str) -> None:
    config = checked(paper, model, data)
    assert config.hydra.runtime.choices["paper_settings"] == f"{paper}/{model}/{data}"
    build(config)


@pytest.mark.parametrize(("paper", "model", "data", "part"), VARIANTS)
def test_a_variant_of_a_cell_keeps_its_printed_settings(paper: str, model: str, data: str, part: str) -> None:
    cell = (f"paper={paper}", f"model={model}", f"data={data}")
    config, whole = row(*cell, part), checked(paper, model, data)
    assert config.model != whole.model
    for key, value in of_cell(PAPERS[paper]["every"]["printed"], data).items():
        assert OmegaConf.select(config, key) == value, key
    assert (config.data, config.protocol) == (whole.data, whole.protocol)


@pytest.mark.parametrize(("paper", "model", "data", "part"), [cell for cell in VARIANTS if cell[0] == "fenrec"])
def test_patience_outlasts_the_warm_up_of_hard_negatives(paper: str, model: str, data: str, part: str) -> None:
    """Training may not end before they begin, or the row is one of the host."""
    config = row(f"paper={paper}", f"model={model}", f"data={data}", part)
    if part.endswith("no_hard_negatives"):
        assert config.model.pair_contrast.warmup_epochs == float("inf")
        return
    assert config.patience > config.model.pair_contrast.warmup_epochs
    assert config.trainer.max_epochs >= 2 * config.model.pair_contrast.warmup_epochs


def test_every_former_experiment_is_stored() -> None:
    assert len(STORED) == 98
    assert len({experiment["arguments"] for experiment in STORED.values()}) == 98
    assert set(CHANGED) <= set(STORED)


def flat(node: Any, key: str = "") -> dict[str, Any]:
    """The values of a nested mapping by dotted key."""
    if not isinstance(node, dict) or not node:
        return {key: node}
    return {name: value for part, below in node.items() for name, value in flat(below, f"{key}.{part}").items()}


@pytest.mark.thorough
@pytest.mark.parametrize("name", STORED)
def test_row_is_the_former_experiment(name: str) -> None:
    """Value for value; left out are the protocol's name, loggers, where the data lies, and keys that are new since."""
    before = upgraded(STORED[name]["config"])
    composed = row(*STORED[name]["arguments"].split())
    own = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
    after: Any = OmegaConf.to_container(own, resolve=True, throw_on_missing=False)
    for machine in ("root", "cache_dir"):
        del after["data"][machine]
    assert after["data"].pop("split") == {"_target_": "seqrec.data.splits.LeaveOneOut"}
    assert after["data"].pop("min_rating", None) is None
    for since in ("first", "last", "on_device"):  # Yelp's period, by default the former one; where batches are made
        after["data"].pop(since, None)
    assert after["protocol"].pop("measures") == [] and after["protocol"].pop("references") == ["popularity", "markov"]
    assert after["protocol"].pop("name") == ("unseen_items" if before["protocol"]["remove_seen"] else "all_items")
    listed = before["trainer"]  # today's may list more options, and is a subclass of Lightning's
    after["trainer"]["_target_"] = listed["_target_"]
    after["trainer"] = {key: value for key, value in after["trainer"].items() if key in listed}
    old, new = flat(before), flat({section: after[section] for section in before})
    differs = {key[1:]: new.get(key) for key in {*old, *new} if old.get(key) != new.get(key)}
    assert differs == CHANGED.get(name, {}), STORED[name]["arguments"]


@pytest.mark.parametrize("paper", PAPERS)
def test_every_model_has_a_row(paper: str) -> None:
    """As in ``-m paper=fenrec 'model=glob(*)' data=beauty,toys``, models without weights among them."""
    data = ",".join(PAPERS[paper]["data"])
    config = check_configuration([f"paper={paper}", "model=glob(*)", f"data={data}"], multirun=True)
    assert config.protocol.name == PAPERS[paper]["protocol"]


def test_two_papers_may_differ_on_one_model_and_data_set() -> None:
    cell = ["model=caser", "data=sports"]
    papers = ("easnrec", "fenrec")
    easnrec, fenrec = (check_configuration([f"paper={paper}", *cell], targets=False) for paper in papers)
    sizes = [(config.model.backbone.dim, config.data.batch_size) for config in (easnrec, fenrec)]
    assert sizes == [(256, 128), (64, 256)]
    assert check_configuration(cell, targets=False).model == easnrec.model


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
    for paper, model in (("easnrec", "sasrec"), ("fenrec", "sasrec"), ("easnrec", "ecl_sr")):
        other = row(f"paper={paper}", f"model={model}", "data=yelp", "windows=sliding")
        assert other.data.windows._target_ == "seqrec.data.windows.sliding"


def test_files_of_a_paper_are_of_its_data_sets() -> None:
    for file in (CONF / "paper_settings").glob("*/*/*.yaml"):
        paper, model, name = file.relative_to(CONF / "paper_settings").with_suffix("").parts
        assert name == "base" or (paper, model, name) in CELLS, f"{file} is of no row that is checked above"
        assert (CONF / "model" / f"{model}.yaml").exists(), file

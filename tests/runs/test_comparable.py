"""Runs of one method are put together by what made them; runs whose numbers mean different things are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from seqrec.reporting.pages import ROOT
from seqrec.runs.card import JUDGED
from seqrec.runs.comparable import methods
from seqrec.runs.configuration import configuration_hash
from seqrec.runs.files import read_json, write_json

KEPT = ROOT / "docs" / "runs" / "synthetic-easnrec" / "easnrec"
USERS = pl.DataFrame({"user": ["c", "a", "b"], "target": ["x", "y", "z"], "rank": [3.0, 1.0, 2.0]})

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """``make(name, command, seed, **card)``: a run folder with three users."""

    def made(name: str, command: str, seed: int = 0, config: dict[str, Any] | None = None, **card: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for file in ("log.csv", "metrics.json"):
            shutil.copyfile(KEPT / file, folder / file)
        stored = read_json(KEPT / "protocol.json")
        model = dict(word.split("=") for word in command.split() if "=" in word)["model"]
        own = {"seed": seed, "model": model, "command": f"python main.py {command} seed={seed}", "evaluated_users": 3}
        own["evaluated_targets"] = card.get("evaluated_users", 3)
        if config is not None:
            (folder / "config.yaml").write_text(yaml.safe_dump({"seed": seed, "data": {"seed": seed}, **config}))
        write_json(folder / "protocol.json", stored | own | {"configuration": None} | card)
        metrics = read_json(folder / "metrics.json")
        metrics.pop("configuration", None)
        (folder / "metrics.json").write_text(json.dumps(metrics))
        USERS.write_parquet(folder / "per_user.parquet")
        return folder

    return made


def test_seeds_of_a_method_are_one_entry(make: Make, tmp_path: Path) -> None:
    runs = [make(f"s{seed}", "model=sasrec trainer=cpu", seed) for seed in (2, 0, 1)]
    runs.append(make("g", "model=gru4rec trainer=gpu logger=wandb callbacks=none data.num_workers=3", 5))
    found = methods(runs)
    assert [(one.name, [run.run.card.seed for run in one.runs]) for one in found] == [
        ("sasrec", [0, 1, 2]),
        ("gru4rec", [5]),
    ]
    assert found[0].runs[0].users["user"].to_list() == ["a", "b", "c"]
    assert found[0].runs[0].users["rank"].to_list() == [1, 2, 3]
    assert [one.name for one in methods([tmp_path])] == ["gru4rec", "sasrec"]


def test_what_was_asked_for_tells_methods_apart(make: Make) -> None:
    runs = [
        make("a", "model=sasrec model.backbone.dim=32"),
        make("b", "model=sasrec model.backbone.dim=64 trainer.max_epochs=3"),
        make("c", "model=easnrec +ablation/easnrec=no_siamese"),
        make("d", "model=easnrec", trained="longer"),
    ]
    names = [one.name for one in methods(runs)]
    assert names == ["sasrec dim=32", "sasrec dim=64 max_epochs=3", "easnrec easnrec=no_siamese", "easnrec"]


def test_stored_configurations_count_but_for_their_seeds(make: Make) -> None:
    same, other = {"model": {"dim": 32}}, {"model": {"dim": 64}}
    runs = [make(f"s{seed}", "model=sasrec", seed, same) for seed in (0, 1)]
    assert configuration_hash(runs[0] / "config.yaml") != configuration_hash(runs[1] / "config.yaml")
    markov = make("m", "model=markov", 0, same)
    assert [len(one.runs) for one in methods([*runs, markov])] == [2, 1]
    changed = make("changed", "model=sasrec", 2, other)
    with pytest.raises(ValueError, match=r"s0 and .*changed were asked for alike, but .*task.runs="):
        methods([*runs, changed])
    named = methods({"before": runs, "after": [changed]})
    assert [(one.name, len(one.runs)) for one in named] == [("before", 2), ("after", 1)]


def test_the_same_method_and_seed_twice_is_refused(make: Make) -> None:
    runs = [make(name, "model=sasrec") for name in ("a", "b")]
    with pytest.raises(ValueError, match=r"a and .*b are the same method with the same seed"):
        methods(runs)
    with pytest.raises(ValueError, match="a is given twice"):
        methods([runs[0], runs[0]])


def test_one_method_is_not_compared(make: Make) -> None:
    with pytest.raises(ValueError, match=r"task\.runs names no run"):
        methods([])
    with pytest.raises(ValueError, match=r"task\.runs\.mine names no run"):
        methods({"mine": []})
    with pytest.raises(ValueError, match="2 runs of one method; give runs of two methods"):
        methods([make(name, "model=sasrec", seed) for seed, name in enumerate("ab")])


CHANGED: dict[str, Any] = {
    "protocol": "unseen_items",
    "data": {"name": "other"},
    "split": "by time",
    "evaluated_users": 2,
    "ranking": "sampled",
    "tied_scores": "all",
    "seen_items": "removed",
    "cutoffs": [10],
}


def test_every_field_that_defines_a_number_is_tried() -> None:
    assert set(CHANGED) == set(JUDGED)


@pytest.mark.parametrize("field", CHANGED)
def test_runs_that_were_judged_differently_are_refused(field: str, make: Make) -> None:
    one, other = make("one", "model=sasrec"), make("other", "model=markov", **{field: CHANGED[field]})
    if field == "evaluated_users":
        USERS.head(2).write_parquet(other / "per_user.parquet")
    with pytest.raises(ValueError, match=rf"one and .*other cannot be compared, as they differ in {field}"):
        methods([one, other])


def test_the_values_that_differ_are_shown(make: Make) -> None:
    one, other = make("one", "model=sasrec"), make("other", "model=markov", cutoffs=[10])
    with pytest.raises(ValueError, match=r"differ in cutoffs \(\[5, 10, 20\] and \[10\]\); give runs"):
        methods([one, other])
    data = {**read_json(one / "protocol.json")["data"], "sha256": "0123" * 16}
    changed = make("changed", "model=markov", data=data)
    with pytest.raises(ValueError, match=r"differ in data.sha256 \([0-9a-f]{37}\.\.\. and (0123){9}0\.\.\.\)"):
        methods([one, changed])


@pytest.mark.parametrize("column", ["user", "target"])
def test_other_users_or_targets_are_refused(column: str, make: Make) -> None:
    one, other = make("one", "model=sasrec"), make("other", "model=markov")
    USERS.with_columns(pl.Series(column, ["c", "a", "e"])).write_parquet(other / "per_user.parquet")
    with pytest.raises(ValueError, match=f"differ in {column}s"):
        methods([one, other])


def test_folders_without_ranks_are_refused(make: Make, tmp_path: Path) -> None:
    run, other = make("run", "model=sasrec"), make("other", "model=markov")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty holds no finished run; give run folders, or a folder of them"):
        methods([run, tmp_path / "empty"])
    (other / "per_user.parquet").write_bytes(b"no table")
    with pytest.raises(ValueError, match="is not what a run writes there"):
        methods([run, other])
    USERS.head(2).write_parquet(other / "per_user.parquet")
    with pytest.raises(ValueError, match="is not what a run writes there"):
        methods([run, other])
    (other / "per_user.parquet").unlink()
    with pytest.raises(ValueError, match=r"other has no per_user.parquet, .*; run it again: "):
        methods([run, other])
    USERS.sort("user").select("rank").write_parquet(other / "ranks.parquet")
    assert [one.name for one in methods([run, other])] == ["sasrec", "markov"]


def test_a_first_stage_is_no_run_of_its_own(make: Make, tmp_path: Path) -> None:
    for name, command in (("0", "model=mvs"), ("0/warm_start", "model=complementary"), ("1", "model=sasrec")):
        make(f"sweep/{name}", command)
    assert [one.name for one in methods([tmp_path / "sweep"])] == ["mvs", "sasrec"]

"""What a dashboard reads from folders, and what its page is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seqrec.reporting.comparison import Choices, compare, ranks_of
from seqrec.reporting.dashboard.collect import collect, is_sweep
from seqrec.reporting.dashboard.compared import ALL_PAIRS, LEVEL, REPLICATES, compared
from seqrec.reporting.dashboard.content import POINTS, content
from seqrec.reporting.dashboard.papers import described, paper_tables
from seqrec.reporting.pages import ROOT
from seqrec.runs.comparable import methods
from seqrec.runs.files import read_json, write_json
from tests.dashboard.conftest import HOSTILE, Make


def test_runs_are_put_together_by_method_and_by_what_their_numbers_mean(several: Path) -> None:
    found = collect([several])
    assert [(part.card.protocol, [group.name for group in part.groups]) for part in found.parts] == [
        ("all_items", [HOSTILE, "bpr", "gru4rec", "sasrec dim=16", "sasrec dim=64"]),
        ("unseen_items", ["caser"]),
    ]
    assert [entry.seed for entry in found.parts[0].groups[2].entries] == [0, 1]
    ((failed,),) = (group.entries for group in found.unfinished)
    assert (failed.model, failed.data, failed.seed) == ("lrurec", "synthetic", 0)
    assert failed.status == "failed: no memory left"


def test_kept_runs_are_read_too() -> None:
    found = collect([ROOT / "docs/runs/beauty-fenrec", ROOT / "docs/studies/easnrec_readings/beauty/sasrec"])
    assert [part.card.protocol for part in found.parts] == ["all_items", "unseen_items"]
    assert {"fenrec", "icsrec"} <= {group.name for group in found.parts[1].groups}
    assert len(found.parts[0].groups[0].entries) == 3


def test_a_folder_may_be_given_twice(make: Make, tmp_path: Path) -> None:
    run = make("a", "model=bpr")
    assert len(collect([tmp_path, run]).parts[0].groups[0].entries) == 1


def test_a_run_that_was_stopped_has_its_curve(make: Make, tmp_path: Path) -> None:
    run = make("3", "model=bpr", epochs=4)
    write_json(run / "origin.json", {"command": "python main.py model=bpr data=beauty seed=2"})
    for name in ("metrics.json", "protocol.json"):
        (run / name).unlink()
    found = collect([tmp_path])
    (method,) = content(found, [], [], {})["methods"]
    assert (method["model"], method["data"], method["part"]) == ("bpr", "beauty", None)
    assert method["runs"][0]["status"] == "stopped" and method["runs"][0]["curve"]["epoch"] == [1, 2, 3, 4]
    assert is_sweep(tmp_path) and not is_sweep(run)


def test_a_bundle_is_that_of_the_run_whose_card_it_has(make: Make, tmp_path: Path) -> None:
    run = make("a", "model=bpr")
    make("b", "model=bpr", 1)
    (tmp_path / "bundle").mkdir()
    card = {
        "card": read_json(run / "protocol.json"),
        "quant": "int8",
        "files": {"x": {"bytes": 1000}, "y": {"bytes": 24}},
    }
    write_json(tmp_path / "bundle" / "bundle.json", card)
    with_bundle, without = collect([tmp_path]).parts[0].groups[0].entries
    size = (tmp_path / "bundle" / "bundle.json").stat().st_size
    assert with_bundle.bundles == {"int8": 1024 + size} and without.bundles == {}
    with pytest.raises(ValueError, match="hold bundles alone"):
        collect([tmp_path / "bundle"])


def test_files_that_were_changed_are_a_reason(make: Make, tmp_path: Path) -> None:
    make("whole", "model=bpr")
    write_json(make("half", "model=bpr", 1) / "metrics.json", {"test": {}})
    (make("torn", "model=bpr", 2) / "log.csv").write_text("epoch,train/loss\n1,what\n")
    found = collect([tmp_path])
    assert [entry.folder.name for entry in found.parts[0].groups[0].entries] == ["whole"]
    reasons = {group.entries[0].folder.name: group.entries[0].status for group in found.unfinished}
    assert reasons.keys() == {"half", "torn"} and all("was it changed?" in why for why in reasons.values())


def test_a_folder_without_runs_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{tmp_path} holds no run"):
        collect([tmp_path])
    with pytest.raises(ValueError, match="names no folder"):
        collect([])


def test_differences_are_those_of_compare(several: Path) -> None:
    part = collect([several]).parts[0]
    found = compared(part, 3)
    assert list(found.reasons) == ["bpr"] and "has no per_user.parquet" in found.reasons["bpr"]
    names = ["gru-0", "gru-1", "narrow", "sasrec"]
    choices = Choices(["ndcg@10", "recall@10"], None, LEVEL, REPLICATES, 3)
    own = compare(ranks_of(methods([several / name for name in names])), choices)
    assert found.found is not None
    rows = {(row.first, row.second, row.metric): row.found for row in found.found.rows}
    for row in own.rows:
        assert rows[row.first, row.second, row.metric] == row.found
    assert len(found.found.rows) == 12  # six pairs of four methods, two metrics


def test_runs_of_other_users_are_not_compared(make: Make, tmp_path: Path) -> None:
    make("a", "model=bpr")
    other = make("b", "model=caser")
    (other / "per_user.parquet").write_bytes((tmp_path / "a" / "per_user.parquet").read_bytes()[:100])
    found = compared(collect([tmp_path]).parts[0], 0)
    assert found.found is None and list(found.reasons) == ["caser"]


def test_two_runs_of_the_same_seed_are_no_two_seeds(make: Make, tmp_path: Path) -> None:
    for name, model in (("a", "bpr"), ("b", "bpr"), ("c", "caser"), ("d", "sasrec")):
        make(name, f"model={model}")
    found = compared(collect([tmp_path]).parts[0], 0)
    assert "two runs with the same seed" in found.reasons["bpr"]
    assert found.found is not None and list(found.found.methods) == ["caser", "sasrec"]


def test_many_methods_are_compared_with_the_best_on_validation(make: Make, tmp_path: Path) -> None:
    for number in range(ALL_PAIRS + 1):
        make(f"{number}", f"model=bpr model.dim={number}", better=12 if number == 5 else 0)
    found = compared(collect([tmp_path]).parts[0], 0)
    assert found.baseline == "bpr dim=5"
    assert found.found is not None and len(found.found.rows) == 2 * ALL_PAIRS


def test_long_curves_are_thinned_but_keep_the_best_and_the_last_epoch(make: Make, tmp_path: Path) -> None:
    make("a", "model=bpr", epochs=1000)
    (method,) = content(collect([tmp_path]), [compared(collect([tmp_path]).parts[0], 0)], [], {})["methods"]
    curve = method["runs"][0]["curve"]
    assert POINTS <= len(curve["epoch"]) <= POINTS + 2 and curve["every"] == 5
    assert curve["epoch"][:2] == [1, 6] and curve["epoch"][-2:] == [999, 1000]
    assert curve["values"]["val/ndcg@10"][-1] == 0.1


def test_a_loss_that_is_no_number_is_left_out(make: Make, tmp_path: Path) -> None:
    run = make("a", "model=bpr")
    (run / "log.csv").write_text("epoch,train/loss\n1,nan\n2,inf\n3,0.5\n")
    found = content(collect([tmp_path]), [compared(collect([tmp_path]).parts[0], 0)], [], {})
    assert found["methods"][0]["runs"][0]["curve"]["values"]["train/loss"] == [None, None, 0.5]
    json.dumps(found, allow_nan=False)


def test_parts_tell_in_what_they_differ(several: Path) -> None:
    found = collect([several])
    parts = content(found, [compared(part, 0) for part in found.parts], [], {})["parts"]
    assert [name for name, *_ in parts[0]["differences"][1]] == ["protocol", "seen_items"]
    assert parts[0]["differences"][0] == []


def test_tables_of_papers_have_the_rows_that_were_run_for_them() -> None:
    found = collect([ROOT / "docs/runs/beauty-fenrec"])
    written = paper_tables(found, lambda arguments, folder: False)  # these runs are known by their commands
    names = [(one.table.paper, one.table.name) for one in written]
    assert names == [("fenrec", "table_1"), ("fenrec", "table_3"), ("recboard", "table_1")]
    first = described(written[0])
    assert [(part["name"], [row["label"] for row in part["rows"]]) for part in first["data"]] == [
        ("beauty", ["FENRec†"])
    ]
    recall = first["data"][0]["rows"][0]["cells"][first["metrics"].index("recall@10")]
    assert recall["printed"] == 0.1019 and recall["ours"] == pytest.approx(0.10195, abs=1e-5) and not recall["fails"]


def test_runs_of_no_paper_have_no_tables(several: Path) -> None:
    assert paper_tables(collect([several]), lambda arguments, folder: True) == []

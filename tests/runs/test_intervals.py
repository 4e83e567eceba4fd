"""Where test metrics lie: as a run stores it, by its ranks, or of its shares."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from scipy import stats

from seqrec.functional.intervals import Interval
from seqrec.metrics import of_users
from seqrec.reporting.pages import ROOT
from seqrec.runs.folder import CARD, METRICS, PER_USER, RANKS
from seqrec.runs.intervals import INTERVALS, of_ranks, of_reference, of_run, of_seeds
from seqrec.runs.kept import Run, read_run

KEPT = ROOT / "docs" / "runs" / "beauty-fenrec" / "fenrec"
OLDER = ROOT / "tests" / "golden" / "run-0.1"


def made(folder: Path, rank: list[float], users: list[str] | None = None) -> Run:
    """A run with these ranks; two targets of a user where a name is there twice."""
    folder.mkdir()
    for name in ("log.csv", METRICS, CARD):
        (folder / name).write_bytes((KEPT / name).read_bytes())
    names = users or [f"u{number}" for number in range(len(rank))]
    card = json.loads((folder / CARD).read_text())
    card |= {"evaluated_users": len(set(names)), "evaluated_targets": len(rank)}
    (folder / CARD).write_text(json.dumps(card))
    pl.DataFrame({"user": names, "rank": rank}).write_parquet(folder / PER_USER)
    return read_run(folder)


def ends(values: np.ndarray) -> tuple[float, float, float]:
    low, high = stats.t.interval(0.95, len(values) - 1, loc=values.mean(), scale=stats.sem(values))
    return values.mean(), low, high


def test_ranks_of_an_older_run() -> None:
    run, rank = read_run(OLDER), pl.read_parquet(OLDER / PER_USER)["rank"].to_numpy(writable=True)
    found = of_run(run)
    assert list(found) == [name for name in run.metrics["test"] if name != "recall@20"], "all users have hits there"
    for name in found:
        assert found[name] == pytest.approx(ends(of_users(torch.from_numpy(rank), name).numpy())), name
        assert found[name].mean == pytest.approx(run.metrics["test"][name])


def test_what_is_stored_counts(tmp_path: Path) -> None:
    run = made(tmp_path / "run", [1.0, 2.0, 30.0])
    run.metrics[INTERVALS] = {"test": {"mrr": [0.1, 0.2]}, "references": {"markov": {"mrr": [0.3, 0.4]}}}
    assert of_run(run) == {"mrr": Interval(run.metrics["test"]["mrr"], 0.1, 0.2)}
    assert of_reference(run, "markov") == {"mrr": Interval(run.metrics["references"]["markov"]["mrr"], 0.3, 0.4)}


def test_a_run_without_ranks_has_intervals_of_its_shares() -> None:
    run = read_run(KEPT)
    found, users = of_run(run), run.card.evaluated_users
    assert list(found) == ["recall@5", "recall@10", "recall@20"]
    hits = round(run.metrics["test"]["recall@10"] * users)
    assert found["recall@10"] == pytest.approx(ends(np.repeat([1.0, 0.0], [hits, users - hits])))
    assert list(of_reference(run, "markov")) == list(found)


def test_several_targets_without_ranks_have_none(tmp_path: Path) -> None:
    run = made(tmp_path / "run", [1.0, 2.0, 30.0], ["a", "b", "a"])
    assert of_run(run)["recall@10"].mean == pytest.approx(2 / 3)
    (run.folder / PER_USER).unlink()
    assert of_run(run) == {}


def test_seeds_are_averaged_for_each_user(tmp_path: Path) -> None:
    runs = [made(tmp_path / "0", [1.0, 30.0, 2.0], ["a", "b", "c"]), made(tmp_path / "1", [3.0, 4.0, 5.0], [*"cab"])]
    found = of_seeds(runs)["ndcg@10"]
    gain = {rank: 1 / np.log2(rank + 1) for rank in range(1, 6)} | {30: 0.0}
    assert found == pytest.approx(ends(np.array([gain[1] + gain[4], gain[30] + gain[5], gain[2] + gain[3]]) / 2))
    assert "coverage@10" not in of_seeds(runs)
    assert of_seeds(runs[:1]) == of_run(runs[0])
    (runs[1].folder / PER_USER).unlink()
    assert of_seeds(runs) == {}


@pytest.mark.parametrize("content", [b"", b"no table", None])
def test_ranks_that_cannot_be_read_count_as_none(tmp_path: Path, content: bytes | None) -> None:
    run = made(tmp_path / "run", [1.0, 2.0, 30.0])
    if content is None:
        pl.DataFrame({"user": ["a"], "rank": [1.0]}).write_parquet(run.folder / PER_USER)
    else:
        (run.folder / PER_USER).write_bytes(content)
    assert not any(name.startswith("ndcg") for name in of_run(run))


def test_compact_ranks_have_no_names(tmp_path: Path) -> None:
    run = made(tmp_path / "run", [1.0, 2.0, 30.0])
    before = of_run(run)
    (run.folder / PER_USER).unlink()
    pl.DataFrame({"rank": [1.0, 2.0, 30.0]}).write_parquet(run.folder / RANKS)
    assert of_run(run) == before


def test_measures_of_ranks_have_intervals_and_those_of_lists_none() -> None:
    names = ["precision@10", "map@10", "mrr@10", "mrr", "coverage@10", "gini@10", "novelty@10", "popularity_bias@10"]
    found = of_ranks(torch.tensor([1.0, 4.0, 12.0]), np.arange(3), names)
    assert list(found) == names[:4]
    assert [found[name].mean for name in names[:4]] == pytest.approx([2 / 30, 1.25 / 3, 1.25 / 3, (1.25 + 1 / 12) / 3])

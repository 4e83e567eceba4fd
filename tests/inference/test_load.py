"""A finished run is rebuilt from its folder alone, for every model of conf/model."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
import torch

from seqrec import inference
from seqrec.data.batch import Histories
from seqrec.data.datamodule import SequenceDataModule
from seqrec.inference.scorer import pairs_of
from seqrec.runs.catalog import CATALOG, USERS
from tests.choice import REPRESENTATIVE, thorough_but
from tests.inference.conftest import KNOW_USERS, MODELS, Finished

DERIVED = {"maerec", "markov"}


@pytest.mark.parametrize("name", thorough_but(REPRESENTATIVE, MODELS))
def test_scores_equal_those_of_the_evaluation(
    name: str, finished: dict[str, Finished], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished[name]
    monkeypatch.delattr(SequenceDataModule, "__init__")  # no data set can be made, not even one that needs no file
    scorer = inference.load(run.folder)
    assert run.scored
    assert scorer.model.knows_users == (name in KNOW_USERS) == (run.folder / USERS).exists()
    for histories, expected in run.scored:
        bare = histories if name in KNOW_USERS else Histories(histories.items)
        assert torch.equal(scorer.score(bare), expected)
        items, scores = scorer.top(bare, 5)
        assert torch.equal(scores, expected.topk(5).values)
        assert torch.equal(expected.gather(1, items - 1), scores)


@pytest.mark.parametrize("name", sorted(KNOW_USERS))
def test_models_that_know_users_ask_for_them(name: str, finished: dict[str, Finished]) -> None:
    histories, _ = finished[name].scored[0]
    scorer = inference.load(finished[name].folder)
    with pytest.raises(ValueError, match="known users only"):
        scorer.score(Histories(histories.items))


@pytest.mark.parametrize("name", sorted(DERIVED))
def test_what_is_derived_from_the_data_is_stored_beside_the_weights(
    name: str, finished: dict[str, Finished], tmp_path: Path
) -> None:
    folder = tmp_path / "old"
    shutil.copytree(finished[name].folder, folder)
    path = folder / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    assert not set(checkpoint.pop("derived")) & set(checkpoint["state_dict"])
    torch.save(checkpoint, path)
    with pytest.raises(ValueError, match=r"did not store the .* train it again"):
        inference.load(folder)


def test_raw_ids_lead_to_the_same_scores(finished: dict[str, Finished]) -> None:
    run = finished["sasrec"]
    scorer = inference.load(run.folder)
    items = pl.read_parquet(run.folder / CATALOG)["item"]
    raw = [items.to_list()[:3], items.to_list()[3:5]]
    asked = scorer.histories([[*raw[0], "nobody knows me"], [str(item) for item in raw[1]]])
    assert asked.items.tolist() == [[1, 2, 3], [4, 5, 0]]
    best, _ = scorer.top(asked, 4)
    assert scorer.catalog.ids(best[0]).dtype == items.dtype
    with pytest.raises(ValueError, match="history 0 has no item"):
        scorer.histories([["nobody knows me"]])
    with pytest.raises(ValueError, match="NextItem knows no users"):
        scorer.histories(raw, users=[1, 2])


def test_users_are_found_by_their_raw_ids(finished: dict[str, Finished]) -> None:
    scorer = inference.load(finished["bpr"].folder)
    user = scorer.users.raw.to_list()
    asked = scorer.histories([[], []], users=[str(user[7]), user[0]])
    assert asked.user is not None
    assert asked.user.tolist() == [7, 0]
    assert torch.isfinite(scorer.score(asked)).all()
    with pytest.raises(ValueError, match="'stranger' is not among the 100 users"):
        scorer.histories([[]], users=["stranger"])


def test_seen_items_are_left_out(finished: dict[str, Finished]) -> None:
    scorer = inference.load(finished["popularity"].folder)
    histories = Histories(torch.tensor([[1, 2, 3], [7, 0, 0]]))
    items, scores = scorer.top(histories, 50, seen=pairs_of(histories))
    assert items[0].count_nonzero() == 47 and items[1].count_nonzero() == 49
    assert not set(items[0].tolist()) & {1, 2, 3} and 7 not in items[1]
    assert torch.equal(items == 0, scores == -torch.inf)
    with pytest.raises(ValueError, match="k is 51; ask for 1 to 50 items"):
        scorer.top(histories, 51)


def test_long_histories_are_cut_and_foreign_numbers_refused(finished: dict[str, Finished]) -> None:
    scorer = inference.load(finished["sasrec"].folder)
    long = torch.arange(1, 50)[None]
    assert long.shape[1] > scorer.max_length
    together = torch.cat([long, torch.tensor([[4, 5] + [0] * 47])])
    torch.testing.assert_close(scorer.score(Histories(together))[:1], scorer.score(Histories(long)))
    assert torch.equal(scorer.score(Histories(long)), scorer.score(Histories(long[:, -scorer.max_length :])))
    with pytest.raises(ValueError, match="numbers from 1 to 51"):
        scorer.score(Histories(torch.tensor([[1, 51]])))


def test_a_run_without_a_catalog_scores_numbers(finished: dict[str, Finished], tmp_path: Path) -> None:
    folder = tmp_path / "old"
    shutil.copytree(finished["sasrec"].folder, folder)
    (folder / CATALOG).unlink()
    scorer = inference.load(folder)
    histories, expected = finished["sasrec"].scored[0]
    assert torch.equal(scorer.score(histories), expected)
    with pytest.raises(ValueError, match=r"catalog.parquet is missing"):
        scorer.histories([[1]])


def test_what_is_no_finished_run_is_refused(finished: dict[str, Finished], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no finished run"):
        inference.load(tmp_path)
    folder = tmp_path / "stopped"
    shutil.copytree(finished["sasrec"].folder, folder)
    (folder / "metrics.json").unlink()
    with pytest.raises(ValueError, match=r"holds no finished run \(metrics.json missing\)"):
        inference.load(folder)


def test_loading_draws_nothing_from_the_random_stream(finished: dict[str, Finished]) -> None:
    before = torch.get_rng_state()
    inference.load(finished["sasrec"].folder)
    assert torch.equal(torch.get_rng_state(), before)

"""A finished run that recommends agrees with its own evaluation, for every model of conf/model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
import yaml

import seqrec
from seqrec.data.datamodule import SequenceDataModule
from seqrec.functional.ranking import best
from seqrec.inference.build import build
from seqrec.methods.evaluation import evaluate
from seqrec.metrics import Protocol
from seqrec.runs.folder import CONFIG, PER_USER
from seqrec.serving.frames import FrameModel
from tests.choice import REPRESENTATIVE, thorough_but
from tests.inference.conftest import KNOW_USERS, MODELS, Finished, Train
from tests.integration.running import main_here

COUNTING = {"markov", "popularity"}


def whole_histories(folder: Path) -> tuple[pl.DataFrame, SequenceDataModule]:
    """What each tested user had before the target, in raw ids, in the order of ``per_user.parquet``; and the data."""
    data: SequenceDataModule = build(yaml.safe_load((folder / CONFIG).read_text())["data"], "data")
    data.setup()
    windows, sequences = data.splits["test"], data.sequences
    row, item = windows.seen(torch.arange(len(windows)))
    raw = sequences.item_ids.gather(pl.Series((item - 1).numpy()))
    lists = pl.DataFrame({"row": row.numpy(), "items": raw}).group_by("row", maintain_order=True).agg("items")
    users = sequences.user_ids.gather(pl.Series(windows.user.numpy()))
    return lists.select(user=users, items="items"), data


def asked(rec: FrameModel, histories: pl.DataFrame, **options: Any) -> list[list[Any]]:
    users = None if rec.users is None else histories["user"].to_list()
    return rec.recommend(histories["items"].to_list(), 10, users=users, **options).items


def hits(lists: list[list[Any]], targets: list[Any]) -> list[bool]:
    return [target in items for items, target in zip(lists, targets, strict=True)]


@pytest.mark.parametrize("name", thorough_but(REPRESENTATIVE, MODELS))
def test_hits_equal_those_of_the_evaluation(name: str, finished: dict[str, Finished]) -> None:
    """For each tested user the target is in the list of ten exactly where its stored rank is at most 10."""
    run = finished[name]
    rec = seqrec.load(run.folder)
    histories, data = whole_histories(run.folder)
    stored = pl.read_parquet(run.folder / PER_USER)
    assert stored["user"].to_list() == histories["user"].to_list()
    targets = stored["target"].to_list()
    assert hits(asked(rec, histories), targets) == (stored["rank"] <= 10).to_list()
    unseen = evaluate(rec.engine.model.score, data, "test", Protocol("unseen_items", remove_seen=True)).compute()[2]
    lists = asked(rec, histories, seen="remove")
    assert hits(lists, targets) == (unseen <= 10).tolist()
    assert all(not set(items) & set(seen) for items, seen in zip(lists, histories["items"].to_list(), strict=True))


@pytest.mark.parametrize("name", ["sasrec", "popularity"])
def test_the_protocol_of_the_run_decides_what_is_seen(name: str, train: Train) -> None:
    run = train(f"model={name}", "protocol=unseen_items")
    rec = seqrec.load(run.folder)
    histories, _ = whole_histories(run.folder)
    stored = pl.read_parquet(run.folder / PER_USER)
    lists = asked(rec, histories)
    assert hits(lists, stored["target"].to_list()) == (stored["rank"] <= 10).to_list()
    assert lists == asked(rec, histories, seen="remove") != asked(rec, histories, seen="keep")


@pytest.mark.parametrize("name", thorough_but(REPRESENTATIVE, MODELS))
def test_scores_are_those_of_the_evaluation(name: str, finished: dict[str, Finished]) -> None:
    rec = seqrec.load(finished[name].folder)
    for histories, expected in finished[name].scored[:1]:
        raw = [[rec.items.raw[item - 1] for item in row if item] for row in histories.items.tolist()]
        users = [rec.users.raw[user] for user in histories.user.tolist()] if name in KNOW_USERS else None
        found = rec.recommend(raw, 7, seen="keep", users=users)
        values, columns = best(expected, 7)
        numbers = torch.from_numpy(found.numbers)
        torch.testing.assert_close(torch.from_numpy(found.scores), values.float(), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(expected.gather(1, numbers - 1), values, rtol=1e-5, atol=1e-5)
        assert (numbers == columns + 1).double().mean() > 0.99
        candidates = [rec.items.raw[4], "nobody", rec.items.raw[0]]
        scores = torch.stack([torch.from_numpy(row) for row in rec.score(raw, candidates, users=users)])
        torch.testing.assert_close(scores[:, [0, 2]], expected[:, [4, 0]].float(), rtol=1e-5, atol=1e-5)
        assert scores[:, 1].isnan().all()
    if name in COUNTING:
        with pytest.raises(ValueError, match="has no vectors of items"):
            rec.similar(rec.items.raw[:2])
        return
    near = rec.similar(rec.items.raw[:2], 3)
    table = rec.engine.model.output_table()[0].detach()
    cosine = torch.nn.functional.cosine_similarity(table[:2, None], table[None], dim=2)
    torch.testing.assert_close(torch.from_numpy(near.scores), cosine.topk(4).values[:, 1:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", sorted(KNOW_USERS))
def test_users_decide_and_need_no_history(name: str, finished: dict[str, Finished]) -> None:
    rec = seqrec.load(finished[name].folder)
    with pytest.raises(ValueError, match=f"{name} scores known users only: give users"):
        rec.recommend([[rec.items.raw[0]]])
    found = rec.recommend([[], [], []], users=[rec.users.raw[3], str(rec.users.raw[3]), "stranger"])
    assert found.items[0] == found.items[1] and found.popular.tolist() == [False, False, True]


def test_a_session_belongs_to_the_weights_of_its_run(finished: dict[str, Finished], tmp_path: Path) -> None:
    rec, other = seqrec.load(finished["sasrec"].folder), seqrec.load(finished["gru4rec"].folder)
    session = rec.session()
    for item in rec.items.raw[:4]:
        session.add(item)
    session.save(tmp_path / "state.npz")
    again = seqrec.load(finished["sasrec"].folder).session(tmp_path / "state.npz")
    assert again.recommend(5).items == rec.recommend([rec.items.raw[:4]], 5).items
    with pytest.raises(ValueError, match="other weights"):
        other.session(tmp_path / "state.npz")


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no finished run"):
        seqrec.load(tmp_path)
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        seqrec.lode


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["all_items", "unseen_items"])
def test_hits_on_beauty(protocol: str, tmp_path: Path) -> None:
    """As above for 22,363 users and 12,101 items; give their files with SEQREC_DATA."""
    small = ["model.backbone.dim=32", "trainer=cpu", "trainer.max_epochs=1", f"data.cache_dir={tmp_path / 'cache'}"]
    main_here(tmp_path, "model=sasrec", "data=beauty", f"protocol={protocol}", *small, f"hydra.run.dir={tmp_path}/run")
    rec = seqrec.load(tmp_path / "run")
    histories, _ = whole_histories(tmp_path / "run")
    stored = pl.read_parquet(tmp_path / "run" / PER_USER)
    assert len(stored) > 20_000
    assert hits(asked(rec, histories), stored["target"].to_list()) == (stored["rank"] <= 10).to_list()

"""Files of lists that task=predict writes hold what the API says, with their scores, for users who are known or not.

The other models are in tests/export/test_ways.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import seqrec
from seqrec.serving.index.search import Int8
from tests.inference.conftest import Finished
from tests.integration.running import main_here


@pytest.mark.parametrize("name", ["sasrec", "caser"])
def test_predict_writes_what_the_api_says(name: str, finished: dict[str, Finished], tmp_path: Path) -> None:
    run = finished[name]
    rec = seqrec.load(run.folder)
    raw = [[rec.items.raw[item - 1] for item in row if item] for row in run.scored[0][0].items.tolist()]
    users = list(range(len(raw))) if rec.users is None else rec.users.raw[: len(raw)]
    pl.DataFrame({"user": users, "item": raw}).write_parquet(tmp_path / "users.parquet")
    words = [f"task.run={run.folder}", "task.input=users.parquet", "task.output=recs.parquet", "task.form=nested"]
    main_here(tmp_path, "task=predict", *words, "task.k=7", "task.part_users=40")
    found = pl.read_parquet(tmp_path / "recs.parquet")
    expected = rec.recommend(raw, 7, users=None if rec.users is None else users)
    assert found["user"].to_list() == list(users)
    assert found["items"].to_list() == expected.items
    np.testing.assert_allclose(np.array(found["scores"].to_list()), expected.scores, rtol=1e-5, atol=1e-5)


def test_lists_may_come_from_an_index(
    finished: dict[str, Finished], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, looked_up = finished["sasrec"].folder, []
    rec = seqrec.load(run)
    raw = [[item] for item in rec.items.raw[:9]]
    pl.DataFrame({"user": range(9), "item": raw}).write_parquet(tmp_path / "users.parquet")
    nearest = Int8.nearest
    monkeypatch.setattr(Int8, "nearest", lambda self, queries, n: looked_up.append(n) or nearest(self, queries, n))
    words = [f"task.run={run}", "task.input=users.parquet", "task.output=recs.parquet", "task.form=nested", "task.k=2"]
    main_here(tmp_path, "task=predict", *words, "task.index=int8", "task.seen=keep")
    assert looked_up
    assert pl.read_parquet(tmp_path / "recs.parquet")["items"].to_list() == rec.recommend(raw, 2, seen="keep").items

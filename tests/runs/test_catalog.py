"""The tables of raw ids in a run folder."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import torch

from seqrec.data.sequences import Sequences
from seqrec.runs.catalog import Numbers, read_catalog, read_users, write_catalog, write_users


def sequences(items: pl.Series, users: pl.Series) -> Sequences:
    """Histories 1 2 3 1, 2 2 3 3 and 3 1, of which the last two each are held out."""
    histories = torch.tensor([1, 2, 3, 1, 2, 2, 3, 3, 3, 1], dtype=torch.int32)
    return Sequences(histories, torch.tensor([0, 4, 8, 10]), users, items, torch.tensor([3, 1, 2]))


@pytest.mark.parametrize("raw", [pl.Series([30, 10, 20]), pl.Series(["c", "a", "ü"]), pl.Series([1.5, -2.0, 3.0])])
def test_ids_come_back_in_their_own_type(raw: pl.Series, tmp_path: Path) -> None:
    write_catalog(tmp_path, sequences(raw, raw))
    write_users(tmp_path, sequences(raw, raw))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["catalog.parquet", "users.parquet"]
    items, users = read_catalog(tmp_path), read_users(tmp_path)
    assert len(items) == len(users) == 3
    for found, first in ((items, 1), (users, 0)):
        numbers = torch.tensor([first + 2, first, first - 1])
        assert found.ids(numbers).to_list() == [raw[2], raw[0], None]
        assert found.ids(numbers).dtype == raw.dtype
        for ids in (raw.to_list(), [str(value) for value in raw]):
            assert found.numbers(ids).tolist() == [first, first + 1, first + 2]
        assert found.numbers(["unknown", None]).tolist() == [first - 1, first - 1]


def test_the_catalog_tells_training_counts_and_the_order_of_the_source(tmp_path: Path) -> None:
    ids = pl.Series([30, 10, 20])
    write_catalog(tmp_path, sequences(ids, ids))
    table = pl.read_parquet(tmp_path / "catalog.parquet")
    assert table.to_dict(as_series=False) == {
        "item": [30, 10, 20],
        "number": [1, 2, 3],
        "count": [1, 3, 0],
        "source_order": [3, 1, 2],
    }
    assert read_catalog(tmp_path).count.tolist() == [1, 3, 0]
    write_users(tmp_path, sequences(ids, ids))
    assert pl.read_parquet(tmp_path / "users.parquet").to_dict(as_series=False) == {
        "user": ids.to_list(),
        "number": [0, 1, 2],
    }


def test_ids_with_the_same_text_are_refused(tmp_path: Path) -> None:
    mixed = pl.Series([1, "2", "1"], dtype=pl.Object)
    with pytest.raises(ValueError, match="the ids 1 and '1' have the same text") as refused:
        write_catalog(tmp_path, sequences(mixed, mixed))
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="same text"):
        Numbers(mixed, 0)


def test_a_folder_without_tables_is_said_to_be_an_old_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"catalog.parquet is missing"):
        read_catalog(tmp_path)
    with pytest.raises(ValueError, match=r"users.parquet is missing"):
        read_users(tmp_path)

"""Compact columns hold the same text, numbers of ids are those of a plain look-up, and pieces change nothing."""

from __future__ import annotations

import logging
import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from seqrec.data import progress
from seqrec.data.errors import DataError
from seqrec.data.numbering import by_user_and_time, core, distinct, numbered
from seqrec.data.readers.compact import DATES, compact, joined, text_of
from seqrec.data.readers.tables import read_table
from seqrec.data.sets.custom import Custom

COLUMNS: dict[str, str | None] = {"user": "u", "item": "i", "time": "t"}
CELLS = {
    "numbers": (["1", "-7", "0", None, "9223372036854775807"], pl.Int64),
    "leading zero": (["1", "007"], pl.String),
    "plus": (["+1", "2"], pl.String),
    "blank": ["1", " 2"],
    "too large": ["1", "9223372036854775808"],
    "point": ["1", "2.0"],
    "empty": ["1", ""],
    "minus zero": ["0", "-0"],
    "dates": (["2019-12-31 23:59:59", None, "0001-01-01 00:00:00"], DATES),
    "no seconds": ["2019-12-31 23:59:59", "2019-12-31 23:59"],
    "fractions": ["2019-12-31 23:59:59", "2019-12-31 23:59:59.5"],
    "single digits": ["2019-12-31 23:59:59", "2019-1-1 1:00:00"],
    "no such day": ["2019-12-31 23:59:59", "2019-02-30 00:00:00"],
    "nothing": ([None, None], pl.Int64),
}


@pytest.mark.parametrize("name", CELLS)
def test_text_can_be_had_again(name: str) -> None:
    cells = CELLS[name]
    expected = cells[1] if isinstance(cells, tuple) else pl.String
    text = pl.Series("time", cells[0] if isinstance(cells, tuple) else cells, dtype=pl.String)
    found = compact(text, dates=True)
    assert found.dtype == expected
    assert text_of(found).equals(text, null_equal=True)


def test_tables_of_several_types_become_text() -> None:
    tables = [pl.DataFrame({"user": [1, 2], "item": [3, 4]}), pl.DataFrame({"user": ["x"], "item": [5]})]
    assert joined(tables).to_dict(as_series=False) == {"user": ["1", "2", "x"], "item": [3, 4, 5]}


def table(draw: random.Random, rows: int) -> list[str]:
    ids = draw.choice([lambda k: f"{k}", lambda k: f"x{k}", lambda k: f'"{k}"'])
    times = draw.choice([lambda k: f"{k}", lambda k: f"2019-01-01 00:{k % 60:02d}:00"])
    lines = [
        f"{ids(draw.randrange(9))},{draw.randrange(99)},{times(draw.randrange(99))},{draw.choice(['', 'a', 'b'])}"
        for _ in range(rows)
    ]
    odd = [
        "",
        "   ",
        "x,007,soon,",
        "1,,3,a",
        "1,2",
        '1,2,3,"a,b"',
        '1,2,3,5" phone',
        '1,2,3,"two\nlines"',
        "u,i,t,x",
        "#",
    ]
    for _ in range(draw.randrange(3)):
        lines.insert(draw.randrange(rows), draw.choice(odd))
    return ["u,i,t,x", *lines]


def outcome(path: Path, caplog: Any, **options: Any) -> tuple[Any, list[str]]:
    """What is read, or the error, and the warnings."""
    caplog.clear()
    try:
        found: Any = read_table(path, COLUMNS, **options)
        found = (found.rows(), found.schema)
    except DataError as error:
        found = str(error)
    return found, sorted(caplog.messages)


@pytest.mark.parametrize("seed", range(40))
def test_pieces_of_a_text_change_nothing(tmp_path: Path, caplog: Any, seed: int) -> None:
    draw = random.Random(seed)
    path = tmp_path / "a.csv"
    path.write_bytes(draw.choice(["\n", "\r\n"]).join(table(draw, 200)).encode())
    options = {"missing": draw.choice(["error", "drop", "keep"]), "drop_duplicates": seed % 2 == 0}
    whole = outcome(path, caplog, **options)
    for block in (100, 1000):
        assert outcome(path, caplog, block=block, **options) == whole


@pytest.mark.parametrize("kind", [pl.Int64, pl.String, pl.UInt32])
@pytest.mark.parametrize("spread", [1, 10**6])
@pytest.mark.parametrize("first_seen", [True, False])
def test_numbers_of_ids(kind: Any, spread: int, first_seen: bool) -> None:
    draw = np.random.default_rng(0)
    ids = pl.concat([pl.Series(draw.integers(40, size=n) * spread).cast(kind) for n in (70, 30)], rechunk=False)
    known = distinct(ids, first_seen)
    assert known.to_list() == (list(dict.fromkeys(ids.to_list())) if first_seen else sorted(set(ids.to_list())))
    assert numbered(ids, known).tolist() == [known.to_list().index(one) for one in ids.to_list()]


@pytest.mark.parametrize("kind", [pl.Int64, pl.Float64, pl.Datetime("us"), pl.Int32])
@pytest.mark.parametrize("sorted_in_time", [True, False])
def test_order_by_user_and_time_keeps_ties(kind: Any, sorted_in_time: bool) -> None:
    draw = np.random.default_rng(0)
    user, time = draw.integers(9, size=200).astype(np.int32), draw.integers(20, size=200)
    time = np.sort(time) if sorted_in_time else time
    expected = sorted(range(200), key=lambda row: (user[row], time[row], row))
    assert by_user_and_time(user, pl.Series(time).cast(kind)).tolist() == expected


def test_core_is_what_removal_one_by_one_leaves() -> None:
    draw = np.random.default_rng(0)
    user, item = (draw.integers(25, size=150).astype(np.int32) for _ in range(2))
    left = list(range(150))
    while True:
        few = [row for row in left if (user[left] == user[row]).sum() < 3 or (item[left] == item[row]).sum() < 4]
        if not few:
            break
        left.remove(few[0])
    assert 0 < len(left) < 150
    assert np.flatnonzero(core(user, item, 3, 4)).tolist() == left


def test_steps_of_a_large_log_are_told(tmp_path: Path, caplog: Any, monkeypatch: Any, loading: dict[str, Any]) -> None:
    path = tmp_path / "log.csv"
    path.write_text("u,i,t\n" + "".join(f"{u},{i},{i}\n" for u in range(3) for i in range(4)))
    data = Custom(path=str(path), columns=COLUMNS, min_user=2, min_item=2, **loading)
    with caplog.at_level(logging.INFO):
        data.read(path)
        assert not caplog.messages
        monkeypatch.setattr(progress, "ROWS", 12)
        monkeypatch.setattr(progress, "BYTES", 12)
        data.setup()
    assert [message.split(str(tmp_path / "cache"))[0] for message in caplog.messages] == [
        f"{path}: reading 0.0 GB",
        f"{path}: looking for missing values, duplicates and what the times are (12 interactions)",
        "numbering users and items (12 interactions)",
        "2-core: dropping users and items with too few (12 interactions)",
        "sorting by user and time (12 interactions)",
        "writing ",
    ]

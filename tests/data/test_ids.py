"""Ids of every type: whole floats, missing values by another name, binary, lists; unused columns never matter."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from seqrec.data.dropped import Dropped
from seqrec.data.errors import DataError
from seqrec.data.readers.tables import read_table
from seqrec.data.sets.custom import Custom
from seqrec.data.summary import summary

COLUMNS: dict[str, str | None] = {"user": "u", "item": "i", "time": "t"}
NAN = float("nan")


def parquet(path: Path, **columns: Any) -> Path:
    pl.DataFrame(columns, strict=False).write_parquet(path / "a.parquet")
    return path / "a.parquet"


def csv(path: Path, *rows: str) -> Path:
    (path / "a.csv").write_text("\n".join(["u,i,t", *rows]) + "\n")
    return path / "a.csv"


def json_lines(path: Path, *rows: str) -> Path:
    (path / "a.jsonl").write_text("\n".join(rows) + "\n")
    return path / "a.jsonl"


@pytest.mark.parametrize("kind", [pl.Float32, pl.Float64, pl.Decimal(12, 2), pl.Int8, pl.UInt64, pl.String])
def test_whole_numbers_are_the_same_ids_in_every_type(tmp_path: Path, kind: Any) -> None:
    numbers = pl.Series([3, 1, 2]).cast(kind)
    table = read_table(parquet(tmp_path, u=numbers, i=numbers, t=[1, 2, 3]), COLUMNS)
    assert table["user"].to_list() == table["item"].to_list() == [3, 1, 2]
    assert table["user"].dtype == pl.Int64


def test_floats_that_are_not_whole_stay_apart(tmp_path: Path) -> None:
    table = read_table(parquet(tmp_path, u=[1.0, 1.5], i=[2.25, 2.5], t=[1, 2]), COLUMNS)
    assert table["user"].to_list() == ["1", "1.5"]
    assert table["item"].to_list() == ["2.25", "2.5"]


def test_whole_floats_in_text_are_whole_numbers_and_said(tmp_path: Path, caplog: Any) -> None:
    with caplog.at_level(logging.WARNING):
        table = read_table(csv(tmp_path, "1.0,a,1", "2.0,b,2", "1,c,3"), COLUMNS)
    assert table["user"].to_list() == [1, 2, 1]
    assert "line 2, column `u`, `1.0`" in caplog.text
    versions = read_table(csv(tmp_path, "1.0,a,1", "1.5,b,2"), COLUMNS)
    assert versions["user"].to_list() == ["1.0", "1.5"]


@pytest.mark.parametrize("large", [2.0**53, 1e17, -1e300])
def test_floats_too_large_to_be_distinct_are_refused(tmp_path: Path, large: float) -> None:
    with pytest.raises(DataError, match=r"row 2, column `u`, .*whole numbers or as text"):
        read_table(parquet(tmp_path, u=[1.0, large], i=["a", "b"], t=[1, 2]), COLUMNS)


WORDS = ["NULL", "null", "NaN", "nan", "None", "\\N", "NA", "N/A", "<NA>", "NaT", "#N/A"]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("column", ["u", "i"])
def test_words_for_no_value(tmp_path: Path, word: str, column: str) -> None:
    rows = ["1,a,1", f"{word},b,2" if column == "u" else f"2,{word},2", "3,c,3"]
    path = csv(tmp_path, *rows)
    with pytest.raises(DataError) as caught:
        read_table(path, COLUMNS)
    assert f"line 3, column `{column}`, `{word}` stands for no value" in str(caught.value)
    assert "data.missing=drop" in str(caught.value)
    dropped: Dropped = {}
    table = read_table(path, COLUMNS, missing="drop", dropped=dropped)
    assert table["item"].to_list() == ["a", "c"]
    assert table["user"].to_list() == [1, 3]
    assert dropped["missing"]["rows"] == 1
    assert len(read_table(path, COLUMNS, missing="keep")) == 3


@pytest.mark.parametrize("time", ["", "NaN", "NULL", "\\N"])
def test_rows_without_a_time(tmp_path: Path, time: str, caplog: Any) -> None:
    path = csv(tmp_path, "1,a,1", f"2,b,{time}", "3,c,x" if time == "x" else "3,c,3")
    with pytest.raises(DataError, match=r"line 3, column `t`.*data\.missing=drop"):
        read_table(path, COLUMNS)
    with caplog.at_level(logging.WARNING):
        assert read_table(path, COLUMNS, missing="drop").rows() == [(1, "a", 1), (3, "c", 3)]
    assert "1 rows without a value left out, first on line 3" in caplog.text


def test_places_are_those_of_the_file_after_rows_were_left_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 4, column `t`, `soon`"):
        read_table(csv(tmp_path, "1,a,1", ",b,2", "3,c,soon"), COLUMNS, missing="drop")
    with pytest.raises(DataError, match="all 2 rows lack a value"):
        read_table(csv(tmp_path, ",a,1", ",b,2"), COLUMNS, missing="drop")


def test_nan_and_null_in_parquet_and_json(tmp_path: Path) -> None:
    files = [
        parquet(tmp_path, u=[1.0, NAN, None, 2.0], i=[1, 2, 3, 4], t=[1.0, 2.0, 3.0, 4.0]),
        json_lines(
            tmp_path, *(f'{{"u": {u}, "i": {i}, "t": {i}}}' for i, u in enumerate(["1", "NaN", "null", "2"], 1))
        ),
    ]
    for path in files:
        with pytest.raises(DataError, match=r"(row|line) 2, column `u`.*no value.*rows without: 2"):
            read_table(path, COLUMNS)
        table = read_table(path, COLUMNS, missing="drop")
        assert table["user"].to_list() == [1, 2]
        assert table["item"].to_list() == [1, 4]


def test_binary_is_text(tmp_path: Path) -> None:
    table = read_table(parquet(tmp_path, u=[b"7", b"8"], i=["é".encode(), b"b"], t=[b"2", b"1"]), COLUMNS)
    assert table.rows() == [(7, "é", 2), (8, "b", 1)]
    with pytest.raises(DataError, match="row 2, column `i` is binary and not UTF-8 text"):
        read_table(parquet(tmp_path, u=[1, 2], i=[b"a", b"\xff\xfe"], t=[1, 2]), COLUMNS)


LISTS: dict[str, Any] = {
    "list": [["a", "b"], ["c"]],
    "numbers": [[1], [2, 3]],
    "struct": [{"id": 1}, {"id": 2}],
}


@pytest.mark.parametrize("kind", LISTS)
def test_lists_and_structs_are_refused_with_their_type(tmp_path: Path, kind: str) -> None:
    cells = LISTS[kind]
    with pytest.raises(DataError, match=r"column `i` holds (List|Struct)\(.*one row an interaction"):
        read_table(parquet(tmp_path, u=[1, 2], i=cells, t=[1, 2]), COLUMNS)
    lines = [json.dumps({"u": u, "i": cell, "t": 1}) for u, cell in enumerate(cells)]
    with pytest.raises(DataError, match=r"line 1, column `i` holds (a list|an object); one interaction a line"):
        read_table(json_lines(tmp_path, *lines), COLUMNS)
    quoted = [f'{u},"{cell}",1' for u, cell in enumerate(cells)]
    with pytest.raises(DataError, match=r"line 2, column `i`, .* is (a list|an object); a table has one interaction"):
        read_table(csv(tmp_path, *quoted), COLUMNS)


def test_a_list_in_a_later_line_and_text_that_looks_like_one(tmp_path: Path) -> None:
    rows = ['{"u": 1, "i": "[x]", "t": 1}', '{"u": 1, "i": "{y}", "t": 2}']
    assert read_table(json_lines(tmp_path, *rows), COLUMNS)["item"].to_list() == ["[x]", "{y}"]
    with pytest.raises(DataError, match="line 4, column `t` holds an object"):
        read_table(json_lines(tmp_path, *rows, "", '{"u": 1, "i": 2, "t": {"$date": "2019-01-01"}}'), COLUMNS)


def test_columns_that_nobody_named_never_matter(tmp_path: Path) -> None:
    rows = {"u": [1, 1, 2], "i": ["a", "a", "b"], "t": [1, 1, 2]}
    others: dict[str, Any] = {
        "duration": [timedelta(1)] * 3,
        "binary": [b"\xff\x00"] * 3,
        "list": [[1, 2], [1], []],
        "struct": [{"x": 1}, {"x": 2}, {"x": 1}],
        "nothing": pl.Series([None] * 3, dtype=pl.Null),
        "category": pl.Series(["x", "y", "z"]).cast(pl.Categorical),
        "float": [NAN, float("inf"), None],
    }
    table = read_table(parquet(tmp_path, **rows, **others), COLUMNS, drop_duplicates=True)
    assert table.rows() == [(1, "a", 1), (1, "a", 1), (2, "b", 2)]
    for name, column in others.items():
        assert len(read_table(parquet(tmp_path, **rows, **{name: column}), COLUMNS)) == 3
    lines = ['{"u": 1, "i": 2, "t": 1, "r": NaN}', '{"u": 1, "i": 3, "t": 2, "r": [Infinity, {"a": -Infinity}]}']
    assert read_table(json_lines(tmp_path, *lines), COLUMNS).rows() == [(1, 2, 1), (1, 3, 2)]


def test_json_numbers_are_read_with_all_their_digits(tmp_path: Path) -> None:
    times = ["1700000000.123456781", "1700000000.123456782", "1700000000.123456783"]
    users = ["12345678901234567890123", "12345678901234567890124", "12345678901234567890125"]
    lines = [f'{{"u": {u}, "i": "x", "t": {t}}}' for u, t in zip(users, times, strict=True)]
    table = read_table(json_lines(tmp_path, *lines), COLUMNS)
    assert table["user"].to_list() == users
    assert table["time"].to_list() == [0, 1, 2]


def test_what_each_step_left_out_is_said_and_kept(tmp_path: Path, loading: dict[str, Any]) -> None:
    rows = [f"{u},{i},{i}" for u in (1, 2) for i in (1, 2, 3, 4)] + ["1,1,1", "NULL,9,9", "3,8,1"]
    options: dict[str, Any] = {
        "columns": COLUMNS,
        "min_user": 2,
        "min_item": 2,
        "missing": "drop",
        "drop_duplicates": True,
    }
    for _ in range(2):  # read, then from the cache
        data = Custom(path=str(csv(tmp_path, *rows)), **options, **loading)
        data.setup()
        assert data.dropped == {
            "missing": {"rows": 1, "users": 0, "items": 1},
            "duplicates": {"rows": 1, "users": 0, "items": 0},
            "2-core": {"rows": 1, "users": 1, "items": 1},
        }
        assert summary("log", data.sequences) == [
            "log: 2 users, 4 items, 8 interactions",
            "left out (missing): 1 rows, 0 users, 1 items",
            "left out (duplicates): 1 rows, 0 users, 0 items",
            "left out (2-core): 1 rows, 1 users, 1 items",
        ]


def test_missing_takes_three_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.missing='dorp' .*did you mean drop"):
        read_table(csv(tmp_path, "1,2,3"), COLUMNS, missing="dorp")

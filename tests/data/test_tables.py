"""Interaction tables in every format, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from seqrec.data.errors import DataError
from seqrec.data.interactions import Numbering, to_sequences
from seqrec.data.readers.tables import read_table
from seqrec.data.readers.times import epoch_microseconds
from seqrec.data.sets.custom import Custom

COLUMNS: dict[str, str | None] = {"user": "u", "item": "i", "time": "t"}
ROWS = [("b", 7, 30), ("a", 9, 20), ("b", 9, 20), ("a", 7, 20), ("a", 5, 10)]
CSV = "u,i,t\n" + "".join(f"{u},{i},{t}\n" for u, i, t in ROWS)
JSON = "".join(f'{{"x": [1, {{"y": 2}}], "u": "{u}", "t": {t}, "i": {i}}}\n' for u, i, t in ROWS)


def written(path: Path, content: str | bytes) -> Path:
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("compressed", ["", ".gz"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.tsv", CSV.replace(",", "\t")),
        ("a.dat", CSV.replace(",", "::")),
        ("a.dat", CSV.replace(",", ";")),
        ("a.data", CSV.replace(",", "|")),
        ("a.inter", CSV.replace(",", " ")),
        ("a.json", JSON),
        ("a.jsonl", JSON.replace("\n", "\r\n")),
        ("a.ndjson", "\ufeff" + JSON.replace("\n", "\n\n")),
        ("a.csv", CSV.replace("\n", "\r\n\r\n")),
        ("a.csv", '"i","u","note","t"\n' + "".join(f'{i},"{u}","x,\ny",{t}\n' for u, i, t in ROWS)),
    ],
)
def test_formats(tmp_path: Path, name: str, content: str, compressed: str) -> None:
    table = read_table(written(tmp_path / (name + compressed), content), COLUMNS)
    assert table.columns == ["user", "item", "time"]
    assert table.rows() == ROWS


def test_parquet(tmp_path: Path) -> None:
    frame = pl.DataFrame(ROWS, schema=["u", "i", "t"], orient="row").with_columns(more=pl.lit([1, 2]))
    dated = frame.with_columns(t=pl.from_epoch("t", "s").dt.replace_time_zone("Europe/Paris"))
    frame.write_parquet(tmp_path / "a.parquet")
    dated.write_parquet(tmp_path / "b.parquet")
    written(tmp_path / "a.parquet.gz", (tmp_path / "a.parquet").read_bytes())
    for name in ("a.parquet", "a.parquet.gz"):
        assert read_table(tmp_path / name, COLUMNS).rows() == ROWS
    times = read_table(tmp_path / "b.parquet", COLUMNS)["time"]
    assert (times - times.min()).to_list() == [20e6, 10e6, 10e6, 10e6, 0]
    frame.with_columns(t=pl.when(pl.col("t") < 30).then("t")).write_parquet(tmp_path / "c.parquet")
    with pytest.raises(DataError, match=r"c\.parquet: row 1, column `t` has no value"):
        read_table(tmp_path / "c.parquet", COLUMNS)
    with pytest.raises(DataError, match="not a parquet file"):
        read_table(written(tmp_path / "d.parquet", CSV), COLUMNS)


def test_small_blocks_change_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", JSON)
    doubled = written(tmp_path / "b.jsonl", JSON + JSON)
    for size in (1, 10, 100):
        assert read_table(path, COLUMNS, block=size).rows() == ROWS
        assert read_table(doubled, COLUMNS, drop_duplicates=True, block=size).rows() == ROWS


def test_options(tmp_path: Path) -> None:
    path = written(tmp_path / "a.log", CSV.partition("\n")[2].replace(",", "~"))
    assert read_table(path, COLUMNS, separator="~", header=["u", "i", "t"]).rows() == ROWS
    tabs = written(tmp_path / "b.log", CSV.replace(",", "\t"))
    assert read_table(tabs, COLUMNS, separator="\\t").rows() == ROWS
    in_file_order = read_table(tabs, COLUMNS | {"time": None})
    assert in_file_order["time"].to_list() == [0, 1, 2, 3, 4]
    sequences = to_sequences(read_table(tabs, COLUMNS), tabs, 1, 1, numbering="first_seen")
    assert sequences.item_ids.gather(sequences.items.long().numpy() - 1).to_list() == [9, 7, 5, 9, 7]


def test_ties_keep_file_order(tmp_path: Path) -> None:
    items = [(37 * k) % 1009 for k in range(1000)]
    path = written(tmp_path / "a.csv", "u,i,t\n" + "".join(f"1,{item},{k // 500}\n" for k, item in enumerate(items)))
    numberings: tuple[Numbering, ...] = ("first_seen", "raw_id")
    for numbering in numberings:
        sequences = to_sequences(read_table(path, COLUMNS), path, 1, 1, numbering)
        assert sequences.item_ids.gather(sequences.items.long().numpy() - 1).to_list() == items


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["1", "2"], [1, 2]),
        (["01", "2"], ["01", "2"]),
        (["a", "2"], ["a", "2"]),
        (["9" * 20, "2"], ["9" * 20, "2"]),
    ],
)
def test_raw_ids_are_kept(tmp_path: Path, ids: list[str], expected: list[object]) -> None:
    path = written(tmp_path / "a.csv", "u,i,t\n" + "".join(f"x,{item},1\n" for item in ids))
    assert read_table(path, COLUMNS)["item"].to_list() == expected


@pytest.mark.parametrize(
    "times",
    [
        ["3", "1", "2"],
        ["2.5", "-1", "2e0"],
        ["1000000000000000001", "999999999999999999", "1000000000000000000"],
        ["2019-12-31", "2019-01-01 00:00:00", "2019-12-30 23:59:59.5"],
        ["2019-01-01T00:00:00.20Z", "2019-01-01T00:00:00.1Z", "2019-01-01T01:00:00.15+01:00"],
        ["2019-01-01 12:01", "2019-01-01T17:00:59+0500", "2019-01-01 07:00:59.999-05:00"],
        ["2019-01-01 00:30:00 UTC", "2019-01-01 01:00:00+01", "2019-01-01 00:15Z"],
        ["2019-01-02+01:00", "2019-01-01Z", "2019-01-01 12:00:00.000001"],
        ["2019-01-01 00:00:00.000002", "2019-01-01 00:00:00.0000009", "2019-01-01T00:00:00.000001999Z"],
    ],
)
def test_times_compare_as_they_should(tmp_path: Path, times: list[str]) -> None:
    """Each list is latest, earliest, between."""
    path = written(tmp_path / "a.csv", "u,i,t\n" + "".join(f"1,2,{time}\n" for time in times))
    latest, earliest, between = read_table(path, COLUMNS)["time"]
    assert earliest < between < latest


def test_dates_are_microseconds_since_1970() -> None:
    exact = {
        "1970-01-01": 0,
        "1970-01-01 00:00:00,000001 UTC": 1,
        "1969-12-31 23:59:59.999999": -1,
        "1970-01-01T02:00+02:00": 0,
        "2019-12-31 23:59:59.123456789": 1_577_836_799_123_456,
        "2019-12-31 18:59:59.123456-0500": 1_577_836_799_123_456,
        "01-02-19": None,
        "2019-02-29": None,
    }
    assert epoch_microseconds(pl.Series(exact.keys())).to_list() == list(exact.values())


BAD = [
    ("a.csv", CSV.replace("b,9,20", "b,9,inf"), "line 4, column `t`, `inf` is not a finite number"),
    ("a.csv", CSV.replace("b,9,20", "b,9,soon"), "line 4, column `t`, `soon` is not a finite number"),
    (
        "a.csv",
        "u,i,t\n1,2,2019-01-01\n1,3,2019-02-30\n",
        "line 3, column `t`, `2019-02-30` is not an ISO",
    ),
    ("a.csv", "u,i,t\n1,2,2019-01-01\n1,3,2019-01-01 24:00:00\n", "line 3, column `t`"),
    ("a.csv", "u,i,t\n1,2,2019-01-01\n1,3,01-02-19\n", "line 3, column `t`, `01-02-19` is not an ISO date"),
    ("a.csv", CSV.replace("b,7,30", "b,7"), "line 2, 2 fields where 3 are expected"),
    ("a.csv", CSV.replace("b,9,20", "b,9,"), "line 4, column `t` has no value"),
    ("a.csv", CSV.replace("b,9,20", " ,9,20"), "line 4, column `u` has no value"),
    ("a.csv", CSV.replace("b,9,20", 'b,"",20'), "line 4, column `i` has no value"),
    ("a.csv", CSV.replace("b,9,20", "\nb,,20"), "line 5, column `i` has no value"),
    ("a.csv", CSV.replace("b,9,20", ",,"), "line 4, all 3 fields are empty"),
    ("a.csv", CSV.replace("b,9,20", "b,9,20,1"), "line 4, 4 fields where 3 are expected"),
    ("a.csv", 'u,i,t\n"b\nc",9,20\na,,1\n', "line 4, column `i` has no value"),
    ("a.csv", CSV.replace("b,9,20", 'b,"9,20'), "a.csv"),
    ("a.csv", CSV.replace("u,i", "user,i"), "column `u` is missing; columns found: `user`, `i`, `t`"),
    ("a.csv", CSV.replace("i,t", "i,T "), "columns found: `u`, `i`, `T`"),
    ("a.csv", CSV.replace("u,i", "u,i,u"), "line 1, column `u` occurs 2 times"),
    ("a.csv", CSV.encode() + b"c,\xe9,3\n", "line 7, byte 0xe9: not a text file"),
    ("a.csv", CSV.encode("utf-16"), "not a text file"),
    ("a.csv.gz", None, "not a gzip file"),
    ("a.log", CSV.replace(",", "~"), "cannot tell the separator (candidates: none)"),
    ("a.log", "u,i,t;x\n1,2,3;4\n", "cannot tell the separator (candidates: `;`, `,`)"),
    ("a.json", "[" + JSON.replace("\n", ",\n") + "]", "line 1, not a JSON object"),
    ("a.json", JSON + '{"u": 1\n', "line 6, not a JSON object"),
    ("a.json", JSON + "[1]\n", "line 6, a JSON list where an object is expected"),
    ("a.json", JSON.replace("30", "NaN"), "line 1, column `t`, `NaN` is not a finite number"),
    ("a.json", JSON + '\n{"u": "c", "i": 1}\n', "line 7, column `t` has no value"),
    ("a.json", JSON.replace('"u"', '"user"'), "line 1, column `u` is missing; columns found: `x`, `user`"),
    ("a.json", JSON.replace("}\n", "} ", 1), "line 1, not a JSON object"),
    ("a.json", "\n\n", "no interactions in the file"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD)
def test_errors_say_where(tmp_path: Path, name: str, content: str | bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is None:
        path.write_text(CSV)
    else:
        written(path, content)
    with pytest.raises(DataError) as caught:
        read_table(path, COLUMNS)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_nearest_column_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", CSV.replace("u,i,t", "user_id,i,t"))
    with pytest.raises(DataError, match=r"column `userid` is missing.*did you mean `user_id`\?"):
        read_table(path, COLUMNS | {"user": "userid"})


def test_column_maps(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", CSV)
    cases: list[dict[str, str | None]] = [{"user": "u", "item": "i"}, COLUMNS | {"user": None}, COLUMNS | {"time": "i"}]
    for columns in cases:
        with pytest.raises(DataError, match="columns="):
            read_table(path, columns)


def test_custom_formats(tmp_path: Path, loading: dict[str, object]) -> None:
    table = written(tmp_path / "log.txt", CSV)
    with pytest.raises(DataError, match="line 1, field 1, `u,i,t` is not an integer id"):
        Custom(path=str(table), columns=COLUMNS, **loading).read(table)  # type: ignore[arg-type]
    options = {"path": str(table), "columns": COLUMNS, "format": "table", "min_user": 1, "min_item": 1}
    assert Custom(**options, **loading).read(table).num_users == 2  # type: ignore[arg-type]
    with pytest.raises(DataError, match="did you mean table"):
        Custom(**options | {"format": "tabel"}, **loading)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no such file"):
        Custom(**options | {"path": "nowhere.csv"}, **loading).source()  # type: ignore[arg-type]

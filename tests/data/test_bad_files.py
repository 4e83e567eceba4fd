"""Every malformed file gives the promised message or the promised result, and no cache after an error."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from seqrec.data.errors import DataError
from seqrec.data.sets.custom import Custom
from seqrec.data.summary import summary

COLUMNS = {"user": "user_id", "item": "item_id", "time": "timestamp"}
GOOD = {
    11: [102, 101, 104, 106, 103, 105],
    12: [105, 101, 103, 106, 102, 104],
    13: [105, 103, 106, 101, 104, 102],
    14: [104, 103, 106, 105, 102, 101],
    15: [103, 101, 105, 104, 102, 106],
    16: [104, 102, 105, 101, 106, 103],
}
ERRORS = {
    "01_empty.csv": ["the file is empty"],
    "02_header_only.csv": ["no interactions in the file"],
    "03_missing_column.csv": ["line 1", "column `timestamp` is missing", "`user_id`, `item_id`, `rating`"],
    "04_short_row.csv": ["line 5", "3 fields where 4 are expected", "first missing column: `timestamp`"],
    "05_non_numeric_id.txt": ["line 3, field 4, `12x` is not an integer id"],
    "06_negative_id.txt": ["line 4, field 5", "`-7`", "ids must be positive"],
    "07_zero_id.txt": ["line 2, field 4, id 0 is reserved for padding"],
    "08_nan_timestamp.csv": ["line 6, column `timestamp`, `NaN` is not a finite number"],
    "11_all_filtered_by_5core.csv": ["5-core filtering left no users (12 interactions before)", "lower"],
    "14_truncated.csv.gz": ["the file ends too early (truncated or corrupt gzip)"],
    "16_binary_junk.txt": ["line 1, byte 0x00", "not a text file"],
    "18_repeated_user_line.txt": ["line 4, user 3 already appeared on line 3", "one line per user"],
}
LOADS = {
    "00_good.csv",
    "09_duplicate_rows.csv",
    "10_one_interaction_user.txt",
    "12_crlf.csv",
    "13_utf8_bom.csv",
    "15_wrong_delimiter.csv",
    "17_item_beyond_int32.txt",
}


def load(data_root: Path, file: str, loading: dict[str, Any], **options: Any) -> Custom:
    data = Custom(path=str(data_root / "bad" / file), columns=COLUMNS, **loading, **options)
    data.prepare_data()
    data.setup()
    return data


def test_every_file_is_covered(data_root: Path) -> None:
    files = {path.name for path in (data_root / "bad").iterdir()} - {"README.md"}
    assert files == set(ERRORS) | LOADS


@pytest.mark.parametrize("file", sorted(ERRORS))
def test_error_names_file_and_place_and_leaves_no_cache(
    data_root: Path, tmp_path: Path, loading: dict[str, Any], file: str
) -> None:
    with pytest.raises(DataError) as caught:
        load(data_root, file, loading)
    message = str(caught.value)
    for part in [str(data_root / "bad" / file), *ERRORS[file]]:
        assert part in message
    assert "\n" not in message
    assert not list((tmp_path / "cache").rglob("*"))


@pytest.mark.parametrize("file", ["00_good.csv", "12_crlf.csv", "13_utf8_bom.csv"])
def test_good_files(data_root: Path, loading: dict[str, Any], histories: Any, file: str) -> None:
    assert histories(load(data_root, file, loading).sequences) == GOOD


def test_a_csv_that_is_clearly_separated_otherwise_is_read_and_said(
    data_root: Path, loading: dict[str, Any], histories: Any, caplog: Any
) -> None:
    with caplog.at_level(logging.WARNING):
        assert histories(load(data_root, "15_wrong_delimiter.csv", loading).sequences) == GOOD
    assert "15_wrong_delimiter.csv: separated by ';', not by ',' as its name says" in caplog.text


def test_duplicates(data_root: Path, loading: dict[str, Any], histories: Any, caplog: Any) -> None:
    with caplog.at_level(logging.WARNING):
        kept = load(data_root, "09_duplicate_rows.csv", loading)
    assert "2 exact duplicate rows, first on line 4" in caplog.text
    assert kept.sequences.num_interactions == 38
    assert histories(kept.sequences) != GOOD
    dropped = load(data_root, "09_duplicate_rows.csv", loading, drop_duplicates=True)
    assert histories(dropped.sequences) == GOOD


def test_user_with_one_interaction(data_root: Path, loading: dict[str, Any]) -> None:
    file = "10_one_interaction_user.txt"
    data = load(data_root, file, loading, min_user=1, min_item=1)
    assert summary("log", data.sequences)[1:] == ["1 users with fewer than 3 are not evaluated"]
    assert data.sequences.num_users == 6
    for windows in data.splits.values():
        assert windows.user.tolist() == [0, 1, 2, 3, 5]
        assert (windows.lengths > 0).all()
    filtered = load(data_root, file, loading).sequences
    assert filtered.user_ids.to_list() == [1, 2, 3, 4, 6]
    assert filtered.items.bincount().tolist() == [0, 5, 5, 5, 5, 5, 5]


def test_item_beyond_int32(data_root: Path, loading: dict[str, Any], histories: Any) -> None:
    file = "17_item_beyond_int32.txt"
    everything = load(data_root, file, loading, min_user=1, min_item=1).sequences
    assert everything.num_items == 7
    assert histories(everything)[6] == [6, 1, 3_000_000_000, 3, 4, 5]
    filtered = load(data_root, file, loading).sequences
    assert sorted(filtered.item_ids.to_list()) == [1, 2, 3, 4, 5, 6]
    assert histories(filtered)[6] == [6, 1, 3, 4, 5]
    assert (filtered.items > 0).all()

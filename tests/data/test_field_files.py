"""Every file of the kinds that people report is read right, or refused in one line that says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seqrec.cli.overrides import check_configuration
from seqrec.data.dropped import Dropped
from seqrec.data.errors import DataError
from seqrec.data.readers.tables import read_table
from seqrec.data.sets.custom import Custom

COLUMNS: dict[str, str | None] = {"user": "user", "item": "item", "time": "time"}
READ = {  # each user's items, oldest first
    "ns.parquet": {"u": ["a", "b", "c"]},
    "ns_iso.csv": {"u": ["a", "b", "c"]},
    "pg.csv": {"u": ["b", "c"]},
    "midquote.tsv": {1: ["a"], 2: ["b"], 3: ["c"]},
    "cr.csv": {"u": ["a", "b"]},
    "bin.parquet": {"u": ["a", "b"]},
    "d_three.csv": {
        0: [6, 6, 0], 1: [4, 7, 6], 2: [4, 7, 5], 3: [3, 2, 4], 4: [2, 1, 4], 5: [2, 4, 1], 6: [1, 5, 7], 7: [1, 5, 6],
        8: [5, 3, 7],
    },
}  # fmt: skip
REFUSED = {
    "title.csv": ["lines 2 to 4 are one row", "3 rows if it is a letter", "data.quote=null"],
    "list.parquet": ["column `item` holds List(String)", "one row an interaction"],
    "li.jsonl": ["line 1, column `item` holds a list", "one interaction a line"],
    "fid.parquet": ["row 3, column `user`", "no value", "rows without: 2", "data.missing=drop"],
    "comm.csv": ["line 1, `# exported 2020` looks like a comment", "data.comment='#'"],
    "pairs.txt": ["line 2, user 1 already", "data.format=table data.header=[user,item] data.columns.time=null"],
}
OTHERS = {"README.md", "confdir/data/mine.yaml"}


def load(data_root: Path, file: str, loading: dict[str, Any], **options: Any) -> Custom:
    settings: dict[str, Any] = {"columns": COLUMNS, "min_user": 1, "min_item": 1} | options | loading
    data = Custom(path=str(data_root / "field" / file), **settings)
    data.setup()
    return data


def test_every_file_is_covered(data_root: Path) -> None:
    """A new file needs a line above that says how it is read, or why it is refused."""
    root = data_root / "field"
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert files == set(READ) | set(REFUSED) | OTHERS


def test_options_in_a_folder_of_one_s_own_are_found(data_root: Path) -> None:
    folder = data_root / "field" / "confdir"
    config = check_configuration([f"hydra.searchpath=['file://{folder}']", "model=popularity", "data=mine"])
    assert (config.data.name, config.data.path) == ("mine", "log.csv")


@pytest.mark.parametrize("file", READ)
def test_read_right(data_root: Path, loading: dict[str, Any], histories: Any, file: str) -> None:
    data = load(data_root, file, loading)
    assert histories(data.sequences) == READ[file]
    assert data.dropped == {}


@pytest.mark.parametrize("file", REFUSED)
def test_refused_in_one_line_and_nothing_left_behind(
    data_root: Path, tmp_path: Path, loading: dict[str, Any], file: str
) -> None:
    with pytest.raises(DataError) as caught:
        load(data_root, file, loading)
    message = str(caught.value)
    for part in [str(data_root / "field" / file), *REFUSED[file]]:
        assert part in message
    assert "\n" not in message
    assert not list((tmp_path / "cache").rglob("*"))


@pytest.mark.parametrize(
    ("file", "options", "expected"),
    [
        ("title.csv", {"quote": None}, {1: ["a"], 2: ["b"], 3: ["c"], 4: ["d"]}),
        ("fid.parquet", {"missing": "drop"}, {1: [3, 2]}),
        ("comm.csv", {"comment": "#"}, {"u": ["a"]}),
        (
            "pairs.txt",
            {"format": "table", "header": ["user", "item"], "columns": COLUMNS | {"time": None}},
            {1: [10, 11, 12], 2: [10, 11]},
        ),
    ],
)
def test_the_advice_of_the_message_works(
    data_root: Path,
    loading: dict[str, Any],
    histories: Any,
    file: str,
    options: dict[str, Any],
    expected: dict[Any, Any],
) -> None:
    assert histories(load(data_root, file, loading, **options).sequences) == expected


def test_what_was_left_out_is_counted(data_root: Path) -> None:
    dropped: Dropped = {}
    read_table(data_root / "field" / "fid.parquet", COLUMNS, missing="drop", dropped=dropped)
    assert dropped == {"missing": {"rows": 2, "users": 0, "items": 2}}

"""Tables in, tables of the same kind out."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from seqrec.serving.frames import FrameRecommendations
from seqrec.serving.recommend import Recommendations
from tests.serving.dot import dot

LOG = pl.DataFrame(
    {
        "user": ["u", "v", "u", "w", "v"],
        "item": ["b", "c", "a", "nobody", "d"],
        "time": [5, 1, 2, 3, 2],
    }
)
LISTS = [["a", "b"], ["c", "d"], ["nobody"]]  # oldest first, of u, v and w


class Arrow:
    """A table of a library of which only the Arrow protocol is known."""

    def __init__(self, table: pl.DataFrame) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def asked_with(frame: Any, **options: Any) -> tuple[Recommendations, Any]:
    found = dot(remove_seen=True).recommend(frame, 2, **options)
    assert isinstance(found, FrameRecommendations)
    return found, found.frame


def test_a_log_gives_what_its_lists_give() -> None:
    lists = dot(remove_seen=True).recommend(LISTS, 2)
    for frame in (LOG, Arrow(LOG), LOG.with_columns(pl.col("item").cast(pl.Categorical))):
        found, table = asked_with(frame)
        assert found.items == lists.items
        assert found.counts == lists.counts == {"unknown_items": 1, "empty_histories": 1, "short_lists": 0}
        assert isinstance(table, pl.DataFrame) and table.columns == ["user", "item", "score", "rank"]
        assert table["user"].to_list() == ["u", "u", "v", "v", "w", "w"]
        assert table["item"].to_list() == [item for row in lists.items for item in row]
        assert table["rank"].to_list() == [1, 2] * 3
        np.testing.assert_array_equal(table["score"].to_numpy(), lists.scores.ravel())


def test_without_a_time_the_order_of_the_lines_counts() -> None:
    expected = dot(remove_seen=True).recommend([["b", "a"], ["c", "d"], ["nobody"]], 2).items
    assert asked_with(LOG, columns={"user": "user", "item": "item", "time": None})[0].items == expected
    assert asked_with(LOG.drop("time"))[0].items == expected


def test_a_nested_table_comes_back_nested() -> None:
    nested = pl.DataFrame({"who": [3, 1, 2, 4], "what": [*LISTS, None]}, schema_overrides={"who": pl.Int32})
    found, table = asked_with(nested, columns={"user": "who", "item": "what"}, block=["a", "b", "e", "f"])
    assert table.columns == ["who", "items", "scores"] and table["who"].to_list() == [3, 1, 2, 4]
    assert table.schema["who"] == pl.Int32
    assert table["items"].to_list() == found.items == [["c", "d"], [], ["c", "d"], ["c", "d"]]
    assert found.counts["empty_histories"] == 2


def test_a_table_of_pandas_comes_back_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """pandas is no dependency; this stands for it: columns by name, made from a mapping, ints turned to floats."""

    class DataFrame:
        def __init__(self, columns: dict[str, list[Any]]) -> None:
            self.content, self.columns = columns, list(columns)

        def __dataframe__(self) -> None:
            raise ImportError("pyarrow is missing")

        def __getitem__(self, name: str) -> np.ndarray:
            return np.array(self.content[name], dtype=object)

    monkeypatch.setattr(DataFrame, "__module__", "pandas.core.frame")
    found, table = asked_with(DataFrame(LOG.to_dict(as_series=False)))
    assert type(table) is DataFrame
    assert table.content["item"] == [item for row in found.items for item in row]


def test_whole_floats_are_whole_numbers() -> None:
    from seqrec.serving.recommend import Ids
    from seqrec.serving.tables import numbers_of

    ids = Ids([10, 20])
    assert numbers_of(pl.Series([20.0, None, 10.0]), ids).tolist() == [2, 0, 1]
    assert numbers_of(pl.Series([20.5, 10.0]), ids).tolist() == [0, 0]
    assert numbers_of(pl.Series([], dtype=pl.String), ids).tolist() == []


def test_missing_columns_are_named() -> None:
    with pytest.raises(ValueError, match="no column 'item' for items, only 'user', 'time'"):
        asked_with(LOG.drop("item"))
    with pytest.raises(ValueError, match="leave users out"):
        asked_with(LOG, users=["u"])

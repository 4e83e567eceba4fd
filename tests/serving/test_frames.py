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


def test_lists_of_the_same_length_are_lists() -> None:
    nested = pl.DataFrame({"user": [3, 1], "item": LISTS[:2]})
    arrays = nested.with_columns(pl.col("item").cast(pl.Array(pl.String, 2)))
    assert asked_with(arrays)[0].items == asked_with(nested)[0].items


def test_a_log_of_pandas_comes_back_as_one() -> None:
    pandas = pytest.importorskip("pandas")
    log = pandas.DataFrame(LOG.to_dict(as_series=False))
    lists = dot(remove_seen=True).recommend(LISTS, 2)
    others = [log.astype(object), log.astype({"item": "category"}), log.set_index("time", drop=False)]
    for frame in (log, *others, log.assign(time=pandas.to_datetime(log["time"], unit="D"))):
        found, table = asked_with(frame)
        assert found.items == lists.items and found.counts == lists.counts
        assert type(table) is pandas.DataFrame and list(table) == ["user", "item", "score", "rank"]
        assert table["user"].tolist() == ["u", "u", "v", "v", "w", "w"] and table["rank"].tolist() == [1, 2] * 3
        assert table["item"].tolist() == [item for row in lists.items for item in row]
        np.testing.assert_array_equal(table["score"], lists.scores.ravel())


def test_what_is_missing_in_pandas_is_unknown() -> None:
    """pandas has several words for it: None, NaN and NA, each in columns of other types."""
    pandas = pytest.importorskip("pandas")
    log = pandas.DataFrame(LOG.to_dict(as_series=False))
    expected = dot(remove_seen=True).recommend([["a", "b"], ["d"], ["nobody"]], 2)
    for kind in (object, "str", "string"):
        gone = log.astype({"item": kind})
        gone.loc[1, "item"] = None
        found = asked_with(gone)[0]
        assert found.items == expected.items and found.counts["unknown_items"] == 2
    lists = dot(remove_seen=True).recommend([["b", "a"], ["c", "d"], ["nobody"]], 2)
    times = pandas.array([1, None, 2, 3, 4], dtype="Int64")
    assert asked_with(log.assign(time=times))[0].items == lists.items


def test_a_nested_table_of_pandas_comes_back_nested() -> None:
    pandas = pytest.importorskip("pandas")
    nested = pandas.DataFrame({"who": [3, 1, 2, 4], "what": [LISTS[0], tuple(LISTS[1]), np.array(LISTS[2]), None]})
    found, table = asked_with(nested, columns={"user": "who", "item": "what"})
    assert found.items == dot(remove_seen=True).recommend([*LISTS, []], 2).items
    assert type(table) is pandas.DataFrame and list(table) == ["who", "items", "scores"]
    assert table["who"].tolist() == [3, 1, 2, 4] and table["items"].tolist() == found.items
    alike = asked_with(nested.iloc[:2], columns={"user": "who", "item": "what"})[0]
    assert alike.items == found.items[:2]


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

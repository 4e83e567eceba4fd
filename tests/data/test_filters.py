"""Filters of a log by rating and period, and the moments that options name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from seqrec.data.errors import DataError
from seqrec.data.readers.times import moment
from seqrec.data.sets.movielens import MovieLens
from tests.data.test_splits import COLUMNS, custom, write


def test_filters_keep_what_they_say(tmp_path: Path, loading: dict[str, Any]) -> None:
    rows = ["a,1,2019-01-01,5", "a,2,2019-01-02,3.5", "a,3,2019-01-03,4", "a,4,2019-01-04,4.5", "b,1,2019-01-02,1"]
    log = write(tmp_path / "log.csv", *rows)

    def kept(**options: Any) -> list[Any]:
        sequences = custom(loading, log, **options).sequences
        return sorted(sequences.item_ids[i - 1] for i in sequences.items.tolist())

    assert kept() == [1, 1, 2, 3, 4]
    assert kept(min_rating=4) == [1, 3, 4]
    assert kept(first="2019-01-02", last="2019-01-03") == [1, 2, 3]
    assert kept(min_rating=3.5, last="2019-01-03") == [1, 2, 3]
    data = custom(loading, log, min_rating=4, first="2019-01-03")
    assert data.dropped["rating below 4"] == {"rows": 2, "users": 1, "items": 1}
    assert data.dropped["before 2019-01-03"] == {"rows": 1, "users": 0, "items": 1}
    assert data.recipe()["min_rating"] == 4 and "last" not in data.recipe()
    assert "rating" not in str(custom(loading, log).recipe())  # the cards of earlier runs stay comparable
    with pytest.raises(DataError, match="no interaction is left of 5, each is rating below 6"):
        kept(min_rating=6)
    with pytest.raises(DataError, match=r"data.first='soon' is no date"):
        kept(first="soon")
    with pytest.raises(DataError, match=r"name the column of ratings in data.columns.rating"):
        kept(min_rating=1, columns={key: COLUMNS[key] for key in ("user", "item", "time")})
    write(tmp_path / "log.csv", "a,1,2019-01-01,5", "a,2,2019-01-02,good")
    with pytest.raises(DataError, match=r"line 3, column `r`, `good` is not a finite number"):
        kept(min_rating=1)


def test_filters_of_movielens_are_those_of_a_second_computation(
    data_root: Path, tmp_path: Path, loading: dict[str, Any]
) -> None:
    (tmp_path / "u.data").symlink_to(data_root / "raw" / "ml-100k" / "u.data")
    options: dict[str, Any] = {"min_rating": 4, "first": "1997-10-01", "last": "1998-03-01"}
    data = MovieLens(**loading, variant="ml-100k", root=str(tmp_path), **options)
    data.setup()
    log = pl.read_csv(tmp_path / "u.data", separator="\t", has_header=False, new_columns=["u", "i", "r", "t"])
    log = log.filter((pl.col("r") >= 4) & pl.col("t").is_between(875664000, 888710400))
    while (rare := log.filter(pl.any_horizontal(pl.len().over(key) < 5 for key in "ui"))).height:
        log = log.join(rare, on=["u", "i"], how="anti")
    sizes = (log["u"].n_unique(), log["i"].n_unique(), len(log))
    assert (data.sequences.num_users, data.sequences.num_items, data.sequences.num_interactions) == sizes
    assert sizes[2] > 10_000


@pytest.mark.parametrize(("newest", "unit"), [(1.5e9, 1), (1.5e12, 1e3), (1.5e15, 1e6), (1.5e18, 1e9)])
def test_dates_are_compared_on_the_scale_of_the_log(newest: float, unit: float) -> None:
    assert moment("2001-09-09 01:46:40", newest) == 10**9 * unit
    assert moment(7, newest) == 7

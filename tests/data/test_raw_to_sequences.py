"""Raw logs become the published sequence files exactly; data modules find their sources."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from seqrec.data.errors import DataError
from seqrec.data.interactions import k_core, to_sequences
from seqrec.data.readers.sequence_file import read_sequence_file
from seqrec.data.readers.tables import read_table
from seqrec.data.sequences import Sequences
from seqrec.data.sets.amazon import Amazon
from seqrec.data.sets.movielens import MovieLens
from seqrec.data.sets.yelp import Yelp


def lines(sequences: Sequences) -> list[str]:
    """The sequence file of ``sequences``."""
    bounds, items = sequences.offsets.tolist(), sequences.items.tolist()
    return [
        " ".join(map(str, [user + 1, *items[bounds[user] : bounds[user + 1]]])) for user in range(sequences.num_users)
    ]


def published(data_root: Path, name: str) -> list[str]:
    with gzip.open(data_root / "sequences" / f"{name}.txt.gz", "rt") as handle:
        return handle.read().splitlines()


@pytest.mark.parametrize(
    ("file", "item", "name"),
    [
        ("amazon/Beauty_file_order.csv.gz", "item_file_rank", "Beauty"),
        ("amazon/Sports_and_Outdoors_file_order.csv.gz", "item_file_rank", "Sports_and_Outdoors"),
        ("yelp/Yelp_2019.csv.gz", "item_id", "Yelp"),
    ],
)
def test_first_seen_numbering(data_root: Path, file: str, item: str, name: str) -> None:
    path = data_root / "raw" / file
    table = read_table(path, {"user": "user_id", "item": item, "time": "timestamp"})
    sequences = to_sequences(table, path, 5, 5, numbering="first_seen")
    assert lines(sequences) == published(data_root, name)
    assert sequences.source_order.tolist() == list(range(1, sequences.num_items + 1))


def module(kind: Any, loading: dict[str, Any], **options: Any) -> Any:
    data = kind(**loading, **options)
    data.prepare_data()
    return data


def read_raw(data: Any) -> Sequences:
    return data.read(data.source())


def test_musical_instruments_original(data_root: Path, tmp_path: Path, loading: dict[str, Any]) -> None:
    shutil.copy(data_root / "raw/amazon/Musical_Instruments_5.json.gz", tmp_path)
    data = module(Amazon, loading, category="Musical_Instruments", root=str(tmp_path))
    assert data.source().parent == tmp_path
    sequences = read_raw(data)
    assert lines(sequences) == published(data_root, "Musical_Instruments")
    assert sequences.user_ids[0] == "A2IBPI20UZIR0U"


def test_ml100k_original(data_root: Path, tmp_path: Path, loading: dict[str, Any]) -> None:
    shutil.copy(data_root / "raw/ml-100k/u.data", tmp_path)
    data = module(MovieLens, loading, variant="ml-100k", root=str(tmp_path))
    sequences = read_raw(data)
    assert lines(sequences) == published(data_root, "ml-100k_5core")
    assert sequences.user_ids.to_list() == list(range(1, 944))


def test_ml1m_users(data_root: Path, tmp_path: Path, loading: dict[str, Any], histories: Any) -> None:
    """Half of the users are here with times: rank over the movies that the full 5-core keeps."""
    (tmp_path / "ml-1m").mkdir()
    part = tmp_path / "ml-1m" / "ratings.dat.gz"
    shutil.copy(data_root / "raw/ml-1m/ratings_users_1-2999.dat.gz", part)
    sequences = read_raw(MovieLens(variant="ml-1m", root=str(tmp_path), **loading))
    ids = pl.read_csv(data_root / "raw/ml-1m/item_map.csv")
    movie = dict(zip(ids["item_id"], ids["movie_id"], strict=True))
    kept = set(sequences.item_ids)
    expected = {}
    for line in published(data_root, "ml-1m")[:2999]:
        user, *items = map(int, line.split())
        expected[user] = [movie[item] for item in items if movie[item] in kept]
    assert histories(sequences) == expected
    assert sequences.num_users == 2999


@pytest.mark.parametrize("file", ["Beauty", "ml-1m", "Yelp", "LastFM", "Toys_and_Games"])
def test_sequence_files(data_root: Path, file: str) -> None:
    sequences = read_sequence_file(data_root / "sequences" / f"{file}.txt.gz")
    assert lines(sequences) == published(data_root, file)


def test_root_prefers_sequence_files(data_root: Path, loading: dict[str, Any]) -> None:
    for data, name, counts in [
        (Amazon(category="Beauty", root=str(data_root), **loading), "Beauty", (22363, 12101)),
        (MovieLens(variant="ml-1m", root=str(data_root), **loading), "ml-1m", (6040, 3416)),
        (MovieLens(variant="ml-100k", root=str(data_root), **loading), "ml-100k_5core", (943, 1349)),
        (Yelp(root=str(data_root), **loading), "Yelp", (30431, 20033)),
    ]:
        assert data.source() == data_root / "sequences" / f"{name}.txt.gz"
        data.prepare_data()
        data.setup()
        assert (data.sequences.num_users, data.sequences.num_items) == counts


def test_yelp_reviews_are_cut(tmp_path: Path, loading: dict[str, Any], histories: Any) -> None:
    dates = ["2018-12-31 23:59:59", "2019-01-01 00:00:00", "2019-12-31 00:00:00", "2019-12-31 00:00:01"]
    rows = [
        {"user_id": f"u{user}", "business_id": f"b{item}", "stars": 3.0, "text": "a\nb", "date": date}
        for date in [dates[3], dates[0], *[f"2019-06-0{day} 12:00:00" for day in (3, 2)], dates[2], dates[1]]
        for user in range(5)
        for item in [dates.index(date) if date in dates else int(date[9])]
    ]
    for index, row in enumerate(rows[10:]):
        row["business_id"] = f"b{index % 5}"
    rows += [dict(row, date="2019-07-01 00:00:00") for row in rows[10:15]]
    (tmp_path / "yelp_academic_dataset_review.json").write_text("\n".join(map(json.dumps, rows)))
    sequences = read_raw(Yelp(root=str(tmp_path), **loading))
    assert histories(sequences) == {f"u{user}": [f"b{user}"] * 5 for user in range(5)}


def test_the_period_of_yelp_is_an_option(tmp_path: Path, loading: dict[str, Any], histories: Any) -> None:
    """ECL-SR's begins ten hours earlier; a sequence file, which is of 2019, does not stand for it."""
    dates = ["2018-12-31 13:59:59", "2018-12-31 14:00:00", *[f"2019-01-0{day} 00:00:00" for day in range(1, 6)]]
    rows = [
        {"user_id": f"u{user}", "business_id": f"b{(user + place) % 6}", "stars": 1.0, "text": "", "date": date}
        for user in range(6)
        for place, date in enumerate(dates)
    ]
    (tmp_path / "yelp_academic_dataset_review.json").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "Yelp.txt").write_text("1 1 2 3 4 5\n")

    def yelp(**period: Any) -> Yelp:
        return Yelp(root=str(tmp_path), **period, **loading)

    same = yelp(first="2019-01-01", last="2019-12-31T00:00:00Z")
    assert yelp().source() == same.source() == tmp_path / "Yelp.txt"
    assert yelp().recipe()["first"] == "2019-01-01 00:00:00"
    earlier = yelp(first="2018-12-31 14:00:00")
    assert earlier.recipe() != yelp().recipe()
    found = histories(read_raw(earlier))
    assert found["u0"] == ["b1", "b2", "b3", "b4", "b5", "b0"] and len(found) == 6
    assert histories(read_raw(yelp(first="2018-12-31 15:00+01:00")))["u0"] == found["u0"]
    with pytest.raises(DataError, match=r"no review between 2011-01-01 and 2012-01-01 among 42"):
        read_raw(yelp(first="2011-01-01", last="2012-01-01"))


@pytest.mark.parametrize(
    ("period", "message"),
    [
        ({"first": "last year"}, r"data\.first='last year' is no date; write one such as '2019-01-01 00:00:00'"),
        ({"last": "2019-02-30"}, r"data\.last='2019-02-30' is no date"),
        ({"first": "2020-01-01"}, r"data\.first='2020-01-01' is after data\.last='2019-12-31 00:00:00'"),
    ],
)
def test_a_period_that_is_none_is_refused(loading: dict[str, Any], period: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Yelp(root=None, **period, **loading)


def test_missing_sources(tmp_path: Path, loading: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        Amazon(category="Beauty", root=str(tmp_path / "none"), **loading).source()
    with pytest.raises(DataError, match=r"put yelp_academic_dataset_review\.json into.*2019-01-01"):
        Yelp(root=str(tmp_path), **loading).source()
    with pytest.raises(DataError, match=r"the reviews of 2018-12-31\.\.2019-12-31 00:00:00 are used; .* 2019 only"):
        Yelp(root=str(tmp_path), first="2018-12-31", **loading).source()
    with pytest.raises(DataError, match=r"did you mean Beauty\?"):
        Amazon(category="Beuty", root=None, **loading)
    with pytest.raises(TypeError, match="batchsize"):
        Yelp(root=None, batchsize=3, **loading)


def test_k_core_needs_several_rounds(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user": [1, 1, 2, 2, 3, 3, 3], "item": [1, 2, 1, 2, 2, 3, 4], "time": range(7)})
    assert k_core(frame, 2, 2).rows() == [(1, 1, 0), (1, 2, 1), (2, 1, 2), (2, 2, 3)]
    assert k_core(frame, 1, 1).equals(frame)
    assert k_core(frame, 3, 2).is_empty()
    with pytest.raises(DataError, match=r"log\.csv: \(3, 2\)-core filtering left no users \(7 interactions"):
        to_sequences(frame, Path("log.csv"), 3, 2, numbering="first_seen")


def test_user_order_is_that_of_the_first_line_before_filtering(tmp_path: Path) -> None:
    """User 1's first line goes away with its rare item, and still decides the order."""
    frame = pl.DataFrame({"user": [1, 2, 2, 1, 1], "item": [9, 7, 8, 8, 7], "time": [5, 2, 1, 4, 3]})
    sequences = to_sequences(frame, Path("log"), 2, 2, numbering="first_seen")
    assert sequences.user_ids.to_list() == [1, 2]
    assert sequences.item_ids.to_list() == [7, 8]
    assert sequences.items.tolist() == [1, 2, 2, 1]

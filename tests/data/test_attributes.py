"""Item attributes: every source of them, their numbering, the cache, and what a faulty file is told."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from seqrec.data.attributes import numbered
from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.errors import DataError
from seqrec.data.readers.metadata import read_amazon, read_genres, read_yelp
from seqrec.data.sets.amazon import Amazon
from seqrec.data.sets.custom import Custom
from seqrec.data.sets.markov_world import World, sample
from seqrec.data.sets.movielens import MovieLens
from seqrec.data.sets.synthetic import Synthetic
from seqrec.data.sets.yelp import Yelp

COLUMNS = {"user": "user", "item": "item", "time": None}


def by_raw_id(data: SequenceDataModule) -> dict[str, list[int]]:
    """Attribute ids of each item, by its id in the source."""
    rows = data.attributes[1:-1].tolist()
    return {str(raw): [a for a in row if a] for raw, row in zip(data.sequences.item_ids, rows, strict=True)}


def own_log(folder: Path, attributes: str | None) -> dict[str, Any]:
    log = folder / "log.csv"
    log.write_text("user,item\n" + "".join(f"{u},{i}\n" for u in "abc" for i in ("x", "y", "z")))
    options: dict[str, Any] = {"path": str(log), "columns": COLUMNS, "min_user": 1, "min_item": 1}
    if attributes is not None:
        (folder / "known.json").write_text(attributes)
        options["attributes"] = str(folder / "known.json")
    return options


def test_own_file_is_numbered_renumbered_and_followed(loading: dict[str, Any], tmp_path: Path) -> None:
    content = '{"nobody": ["w"], "z": ["red", 7, "red"], "x": ["7"]}'
    for seed in (0, 1):
        data = Custom(**loading | {"seed": seed}, **own_log(tmp_path, content))
        data.setup()
        assert by_raw_id(data) == {"x": [2], "y": [], "z": [1, 2]}
        assert data.attributes.shape == (5, 2)
        assert data.attributes.dtype == torch.int64
        assert not data.attributes[[0, -1]].any()
    changed = Custom(**loading, **own_log(tmp_path, '{"y": ["blue"]}'))
    changed.setup()
    assert by_raw_id(changed) == {"x": [], "y": [1], "z": []}
    without = Custom(**loading, **own_log(tmp_path, None))
    without.setup()
    assert without.attributes.shape == (5, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a JSON object"),
        ("[1]", "a JSON list where one object"),
        ('{"x": "red"}', "item `x` has `red`, which is not a list"),
        ('{"x": [0.5]}', "item `x` has attribute `0.5`; use a word or a whole number"),
        ('{"x": [" "]}', "use a word"),
        ('{"x": {"a": 1}}', "use a word"),
        ('{"x": ["a"], "x": ["b"]}', "item `x` occurs twice"),
        ('{"other": ["a"]}', "none of the 3 items.*such as `x`, but are such as `other`"),
        ("{}", "none of the 3 items"),
    ],
)
def test_faulty_file(loading: dict[str, Any], tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        Custom(**loading, **own_log(tmp_path, content)).setup()
    assert "known.json" in str(caught.value)


def test_missing_file(loading: dict[str, Any], tmp_path: Path) -> None:
    options = own_log(tmp_path, None) | {"attributes": str(tmp_path / "gone.json")}
    with pytest.raises(DataError, match=r"data\.attributes=.*gone\.json: no such file"):
        Custom(**loading, **options).setup()


def test_amazon_metadata(tmp_path: Path) -> None:
    path = tmp_path / "meta_Beauty.json"
    lines = [
        "{'asin': 'B1', 'title': \"Don't\", 'brand': 'Acme', 'categories': [['All', 'Hair'], ['All', 'Hair', 'Dye']]}",
        "{'asin': 'B2', 'categories': [['Beauty']], 'brand': ''}",
        "{'asin': 'unread', 'categories': [[",
    ]
    path.write_text("\n".join(lines))
    found = read_amazon(path, {"B1", "B2"})
    assert found == {"B1": ["Acme", "Hair", "Hair", "Dye"], "B2": []}
    assert numbered(found, pl.Series(["B2", "B1"]), path).tolist() == [[0, 0, 0], [1, 2, 3]]
    with pytest.raises(DataError, match=r"meta_Beauty\.json: line 3, product `unread`"):
        read_amazon(path, {"unread"})
    path.write_text("{'asin': 'B1', 'brand': __import__('os').getcwd()}")
    with pytest.raises(DataError, match="line 1, product `B1`: not a literal"):
        read_amazon(path, {"B1"})


def test_yelp_businesses(tmp_path: Path) -> None:
    path = tmp_path / "yelp_academic_dataset_business.json"
    path.write_text('{"business_id": "b", "categories": "Bars, Wine Bars"}\n{"business_id": "c", "categories": null}\n')
    assert read_yelp(path, {"b", "c"}) == {"b": ["Bars", "Wine Bars"], "c": []}
    path.write_text('{"business_id": "b"}\n')
    with pytest.raises(DataError, match="line 1, not a JSON object with business_id and categories"):
        read_yelp(path, {"b"})


def test_genres(tmp_path: Path) -> None:
    (tmp_path / "movies.dat").write_bytes(b"1::Am\xe9lie (2001)::Comedy|Romance\n2::Nothing::\n")
    assert read_genres(tmp_path / "movies.dat") == {"1": ["Comedy", "Romance"], "2": []}
    (tmp_path / "u.item").write_text("7|A film|1-1-1990||link|1|" + "|".join("1" + "0" * 16 + "1") + "\n")
    assert read_genres(tmp_path / "u.item") == {"7": ["Action", "Western"]}
    (tmp_path / "movies.dat").write_text("1::A::Drama\n2,B,Drama\n")
    with pytest.raises(DataError, match=r"movies\.dat: line 2, `2,B,Drama` is not id::title::genre"):
        read_genres(tmp_path / "movies.dat")


def test_raw_reviews_find_their_metadata(loading: dict[str, Any], tmp_path: Path) -> None:
    reviews = [{"reviewerID": f"u{u}", "asin": f"B{i}", "unixReviewTime": i} for u in range(5) for i in range(5)]
    (tmp_path / "reviews_Beauty_5.json").write_text("\n".join(map(json.dumps, reviews)))
    with gzip.open(tmp_path / "meta_Beauty.json.gz", "wt") as out:
        out.write("{'asin': 'B3', 'brand': 'Acme', 'categories': [['Beauty', 'Hair']]}\n")
    data = Amazon("Beauty", str(tmp_path), **loading)
    data.setup()
    assert by_raw_id(data) == {"B0": [], "B1": [], "B2": [], "B3": [1, 2], "B4": []}


@pytest.mark.parametrize("name", ["Beauty", "Yelp"])
def test_prepared_attributes_keep_their_ids(loading: dict[str, Any], data_root: Path, name: str) -> None:
    data = Yelp(str(data_root), **loading) if name == "Yelp" else Amazon(name, str(data_root), **loading)
    data.setup()
    with gzip.open(data_root / "attributes" / f"{name}_item2attributes.json.gz", "rt") as file:
        published = json.load(file)
    assert by_raw_id(data) == {item: list(dict.fromkeys(ids)) for item, ids in published.items()}


@pytest.mark.parametrize(("variant", "item", "genres"), [("ml-1m", 1, 3), ("ml-100k", 1, 3)])
def test_genres_of_sequence_files(
    loading: dict[str, Any], data_root: Path, variant: str, item: int, genres: int
) -> None:
    """Item 1 is Toy Story in both: animation, children's, comedy."""
    data = MovieLens(variant, str(data_root), **loading)
    data.setup()
    assert int(data.attributes.max()) == 18
    known = by_raw_id(data)
    assert len(known[str(item)]) == genres
    assert sum(not names for names in known.values()) <= 2


def test_synthetic_attributes_say_something(loading: dict[str, Any]) -> None:
    world: dict[str, Any] = {
        "num_items": 60,
        "num_types": 2,
        "branching": 4,
        "period": 12,
        "noise": 0.1,
        "world_seed": 0,
    }
    data = Synthetic(num_users=200, shortest=20, longest=20, **world, **loading)
    data.setup()
    assert data.attributes[1:-1].unique().tolist() == list(range(1, int(data.attributes.max()) + 1))
    season = data.attributes[:, 0][data.sequences.items.view(200, 20).long()]
    popular = data.attributes[:, 1][data.sequences.items.long()]
    agree = (season[:, 1:] == season[:, :-1]).float().mean()
    other = (season[:, 1:] == season[:, :-1].roll(1, 0).roll(7, 1)).float().mean()
    assert agree > 1.3 * other
    assert (popular == popular.min()).float().mean() > 0.3


def test_the_audience_of_an_item_is_the_type_that_has_it_most() -> None:
    """As counted in the histories of worlds with one type each, which have the tables of the first types."""
    world = World(num_items=30, num_types=3, branching=3, period=4, noise=0.0, seed=0)
    counts = torch.zeros(3, 30)
    for kind in range(3):
        alone = World(num_items=30, num_types=kind + 1, branching=3, period=4, noise=0.0, seed=0)
        alone.successors[:] = alone.successors[kind].clone()
        counts[kind] = sample(alone, 4000, 8, 8, seed=1).items.bincount(minlength=31)[1:]
    most = counts.max(0).values
    assert (counts.gather(0, world.audience[None])[0] > 0.9 * most).all()

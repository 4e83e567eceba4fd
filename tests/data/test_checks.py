"""The checks of a log find what was planted in it, nothing in a clean one, and agree with counts made otherwise."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from omegaconf import OmegaConf

from seqrec.cli.overrides import CONF
from seqrec.data.checks import numbers
from seqrec.data.checks.fenrec_table_d import interactions_per_item
from seqrec.data.checks.findings import CHECKS, Finding, figures, findings
from seqrec.data.checks.log import Log, filters, observed
from seqrec.data.checks.published import PUBLISHED, TABLE_D, compared, sizes
from seqrec.data.checks.targets import repeated
from seqrec.data.checks.times import overlap, ties
from seqrec.data.errors import DataError
from seqrec.data.readers.sequence_file import read_sequence_file
from seqrec.data.sequences import Sequences
from seqrec.data.sets.custom import Custom
from seqrec.data.watched import watching

USERS, ITEMS, ROUNDS = 300, 60, 14
COLUMNS = {"user": "user", "item": "item", "time": "time"}
DEFAULTS: Any = OmegaConf.to_container(OmegaConf.load(CONF / "task" / "check_data.yaml").task, resolve=False)


def clean(drifts: bool = False) -> pl.DataFrame:
    """Each user takes an item a round, none twice, popular ones more often; ids are drawn; rows are shuffled.

    Args:
        drifts: in the newer half the least popular items are the most popular ones.
    """
    random = np.random.default_rng(3)
    likes = 1 / np.arange(3, ITEMS + 3) ** 0.5

    def taken() -> list[int]:
        items: list[int] = []
        for moment in range(ROUNDS):
            left = likes[::-1].copy() if drifts and moment >= ROUNDS // 2 else likes.copy()
            left[items] = 0
            items.append(int(random.choice(ITEMS, p=left / left.sum())))
        return items

    items = np.array([taken() for _ in range(USERS)])
    time = np.arange(ROUNDS) * 10**6 + np.stack([random.choice(10**6, ROUNDS) for _ in range(USERS)])
    ids = random.permutation(10**4)[:ITEMS]
    user = np.repeat(np.arange(USERS), ROUNDS)
    frame = pl.DataFrame({"user": user, "item": ids[items.ravel()], "time": time.ravel()})
    return frame.sample(fraction=1, shuffle=True, seed=0)


def by(frame: pl.DataFrame, key: pl.Expr) -> pl.DataFrame:
    """Items with ids in the order of ``key``."""
    order = frame.group_by("item").agg(key.alias("key")).sort("key", "item")["item"].to_list()
    return frame.with_columns(pl.col("item").replace_strict(order, range(1, len(order) + 1)))


def first_seen(frame: pl.DataFrame) -> pl.DataFrame:
    """Items with ids by first appearance, user after user, as sequence files have them."""
    walked = frame.sort("user", "time").with_row_index("row")
    return by(walked, pl.col("row").min()).drop("row")


PLANTS: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], set[str]]] = {
    "nothing": (lambda frame: frame, set()),
    "ties": (lambda frame: frame.with_columns(pl.col("time") // (4 * 10**6)), {"ties", "tied_targets"}),
    "duplicates": (lambda frame: pl.concat([frame, frame.sample(fraction=0.02, seed=1)]), {"duplicates"}),
    "ids by popularity": (lambda frame: by(frame, pl.len()), {"id_order", "next_ids"}),
    "ids by time": (lambda frame: by(frame, pl.col("time").min()), {"id_order"}),
    "ids by first appearance": (first_seen, {"id_order"}),
    "future": (lambda frame: frame.with_columns(pl.col("time") + pl.col("user") * 10**6), {"future"}),
    "drift": (lambda frame: clean(drifts=True), {"drift"}),
    "seen targets": (
        lambda frame: frame.sort("user", "time").with_columns(
            pl.when(pl.int_range(pl.len()).over("user") == ROUNDS - 1)
            .then(pl.col("item").first().over("user"))
            .otherwise("item")
            .alias("item")
        ),
        {"repeats"},
    ),
}


@pytest.fixture
def read(tmp_path: Path, loading: dict[str, Any]) -> Callable[..., Log]:
    """Writes a table as csv and reads it as ``data=custom`` does."""

    def through_a_file(frame: pl.DataFrame, **options: Any) -> Log:
        path = tmp_path / "log.csv"
        frame.write_csv(path)
        data = Custom(str(path), **({"columns": COLUMNS} | options), **loading)
        return observed(lambda: data.read(data.source()))

    return through_a_file


def judged(log: Log, known_as: str = "") -> dict[str, Finding]:
    found = figures(log, seed=0, max_length=50, known_as=known_as)
    return {one.name: one for one in findings(found, DEFAULTS["limits"], DEFAULTS["faults"])}


@pytest.mark.parametrize("planted", PLANTS)
def test_what_was_planted_is_found_and_nothing_else(planted: str, read: Callable[..., Log]) -> None:
    plant, expected = PLANTS[planted]
    found = judged(read(plant(clean())))
    above = {name for name, one in found.items() if one.verdict in ("warning", "fault")}
    assert above == expected, {name: one.value for name, one in found.items()}
    faults = {name for name, one in found.items() if one.verdict == "fault"}
    assert faults == expected & {"duplicates", "tied_targets"}


def test_ids_by_first_appearance_tell_the_next_item(tmp_path: Path) -> None:
    """Of a large catalogue, most of which each user is the first to take."""
    random, fresh = np.random.default_rng(0), iter(range(1, 10**6))
    histories = [[next(fresh) if random.random() < 0.5 else 1 for _ in range(8)] for _ in range(200)]
    path = tmp_path / "log.txt"
    path.write_text("".join(f"{u + 1} {' '.join(map(str, items))}\n" for u, items in enumerate(histories)))
    found = judged(observed(lambda: read_sequence_file(path)))
    assert found["next_ids"].verdict == found["id_order"].verdict == "warning"
    assert found["model_numbers"].verdict == "fine"


def test_numbers_that_were_not_drawn_are_found(read: Callable[..., Log], monkeypatch: pytest.MonkeyPatch) -> None:
    log = read(by(clean(), pl.len()), min_item=1)
    ids = numbers.ids_of_the_file(log)
    monkeypatch.setattr(numbers, "numbers_of_models", lambda log, seed: ids)
    assert judged(log)["model_numbers"].verdict == "warning"


def test_numbers_of_models_are_those_of_the_data_module(read: Callable[..., Log]) -> None:
    log = read(clean())
    drawn = log.sequences.renumbered(5)
    number = dict(zip(drawn.item_ids.to_list(), range(1, ITEMS + 1), strict=True))
    assert numbers.numbers_of_models(log, 5).tolist() == [number[i] for i in log.sequences.item_ids.to_list()]


def test_times_are_those_of_the_interactions(read: Callable[..., Log]) -> None:
    frame = clean()
    log = read(frame, min_user=1, min_item=1)
    users, items = log.sequences.user_ids.to_numpy(), log.sequences.item_ids.to_numpy()
    assert log.time is not None
    rows = zip(users[log.owner].tolist(), items[log.item].tolist(), log.time.tolist(), strict=True)
    assert sorted(rows) == sorted(frame.iter_rows())


def test_filters_say_what_went_in_and_out(read: Callable[..., Log]) -> None:
    frame = pl.concat([clean(), clean().head(7)]).cast(pl.String)
    missing = pl.DataFrame({"user": ["x", ""], "item": ["", "y"], "time": ["1", "2"]})
    rare = pl.DataFrame({"user": ["u"] * 3, "item": ["a", "b", "c"], "time": ["1", "2", "3"]})
    log = read(pl.concat([frame, missing, rare]), missing="drop", drop_duplicates=True)
    steps = {row["step"]: row for row in filters(log)}
    assert list(steps)[:4] == ["read", "missing", "duplicates", "5-core"]
    assert [row["left out"] for row in list(steps.values())[:4]] == [0, 2, 7, 3]
    assert steps["read"]["rows"] == len(frame) + 5
    assert (steps["5-core"]["rows"], steps["5-core"]["users"]) == (USERS * ROUNDS, USERS)
    assert (steps["missing"]["users"], steps["missing"]["items"]) == (USERS + 1, ITEMS + 3)
    assert steps["training"]["rows"] == USERS * (ROUNDS - 2)


def test_a_filter_that_left_nothing_out_is_named(read: Callable[..., Log]) -> None:
    rows = filters(read(clean()))
    assert [(row["step"], row["left out"]) for row in rows[:3]] == [("read", 0), ("missing", 0), ("5-core", 0)]


def test_a_log_without_times_says_which_checks_need_them(read: Callable[..., Log]) -> None:
    found = judged(read(clean(), columns=COLUMNS | {"time": None}))
    assert {name for name, one in found.items() if one.verdict == "needs times"} == {
        "ties", "tied_targets", "future", "drift",
    }  # fmt: skip


def test_small_counts_agree_with_a_plain_loop(read: Callable[..., Log]) -> None:
    random = np.random.default_rng(1)
    frame = pl.DataFrame({key: random.integers(0, size, 200) for key, size in (("user", 9), ("item", 7), ("time", 40))})
    log = read(frame, min_user=1, min_item=1)
    assert log.time is not None
    offsets, item, time = log.sequences.offsets.tolist(), log.item.tolist(), log.time.tolist()
    spans = [range(*span) for span in itertools.pairwise(offsets)]
    again = [item[row] in item[span.start : row] for span in spans for row in span]
    assert repeated(log).tolist() == again
    tied = [sum(time[row] == time[other] for other in span) > 1 for span in spans for row in span]
    targets = [span[-1] for span in spans if len(span) > 2]
    found = ties(log, log.time)
    assert found["share"] == pytest.approx(np.mean(tied))
    assert found["test"] == pytest.approx(np.mean([time[row] == time[row - 1] for row in targets]))
    learned = [time[row] for span in spans for row in span[:-2]]
    later = np.mean([np.mean([moment > time[row] for moment in learned]) for row in targets])
    assert overlap(log, log.time)["future"] == pytest.approx(later)


def test_a_misspelt_check_is_refused(read: Callable[..., Log]) -> None:
    found = figures(read(clean()), 0, 50, "")
    with pytest.raises(DataError, match=r"task.faults: 'tie' is no check; choose of published, "):
        findings(found, DEFAULTS["limits"], ["tie"])
    assert list(DEFAULTS["limits"]) == list(CHECKS)


def test_nothing_is_noted_once_the_reading_has_ended(tmp_path: Path, loading: dict[str, Any]) -> None:
    path = tmp_path / "empty.csv"
    path.write_text("user,item,time\n")
    data = Custom(str(path), COLUMNS, **loading)
    asked = []

    def read() -> Sequences:
        asked.append(watching())
        return data.read(path)

    with pytest.raises(DataError):
        observed(read)
    assert asked != [None]
    assert watching() is None


def read_published(data_root: Path, file: str) -> Log:
    return observed(lambda: read_sequence_file(data_root / "sequences" / f"{file}.txt.gz"))


FILES = {"sports": "Sports_and_Outdoors", "beauty": "Beauty", "toys": "Toys_and_Games", "yelp": "Yelp"}


@pytest.mark.parametrize(("name", "file"), [("sports", FILES["sports"]), ("ml1m", "ml-1m")])
def test_table_1_of_easnrec(data_root: Path, name: str, file: str) -> None:
    """To the digit, but for two cells of ML-1M that contradict the others of their column."""
    sequences = read_published(data_root, file).sequences
    rows = {row["cell"]: row for row in compared(PUBLISHED[name][0], sizes(sequences))}
    assert len(rows) == 6
    differing = {cell for cell, row in rows.items() if not row["verdict"].startswith("same")}
    assert differing == (set() if name == "sports" else {"items", "sparsity"})
    if name == "ml1m":
        assert (rows["users"]["ours"], sequences.num_users) == ("6,041", 6040)
        assert (rows["items"]["ours"], sequences.num_items) == ("3,417", 3416)
        assert f"{sizes(sequences)['sparsity']:.4f}" == "95.1552"


@pytest.mark.parametrize("name", FILES)
def test_table_d_of_fenrec(data_root: Path, name: str) -> None:
    """To all digits: counts in the training part, sequences are the histories before the test item."""
    found = interactions_per_item(read_published(data_root, FILES[name]), uncounted=2, left_out=1)
    assert tuple(f"{value:.4f}" for value in found) == TABLE_D[name]


def test_known_figures_of_beauty(data_root: Path, loading: dict[str, Any]) -> None:
    """Counted independently when the file was made."""
    path = data_root / "raw/amazon/Beauty_file_order.csv.gz"
    columns = {"user": "user_id", "item": "item_file_rank", "time": "timestamp"}
    data = Custom(str(path), columns, **loading)
    log = observed(lambda: data.read(path))
    found = figures(log, 0, 50, "beauty")
    assert found["ties"]["test_targets"] == 9719
    assert round(found["ties"]["share"], 3) == 0.575
    assert round(found["ties"]["users"], 3) == 0.876
    assert (found["unseen"]["items"], found["unseen"]["test_targets"]) == (33, 138)
    assert round(found["lengths"]["padding"], 4) == 0.8855
    assert {row["verdict"] for row in found["published"]} == {"same"}


def test_known_repeats_of_yelp(data_root: Path) -> None:
    found = figures(read_published(data_root, "Yelp"), 0, 50, "yelp")
    repeats = found["repeats"]
    assert (repeats["rows"], repeats["in_a_row"], repeats["test_targets"]) == (11830, 3873, 2027)
    assert round(repeats["users"], 4) == 0.2334


def test_no_history_is_no_error() -> None:
    """A table whose users are all too short to be evaluated."""
    short = observed(lambda: _short())
    found = judged(short)
    assert {one.verdict for one in found.values()} <= {"fine", "needs times", "not known"}
    assert filters(short)[-1] == {"step": "not used", "rows": 2, "users": 2, "items": 2, "left out": None}


def _short() -> Sequences:
    import torch

    return Sequences(
        items=torch.tensor([1, 2], dtype=torch.int32),
        offsets=torch.tensor([0, 1, 2]),
        user_ids=pl.Series([1, 2]),
        item_ids=pl.Series([1, 2]),
        source_order=torch.arange(1, 3),
    )

"""Splits: nothing of the future trains, the counts are those of a second computation, wrong options are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
import torch

from seqrec.data import windows as rules
from seqrec.data.errors import DataError
from seqrec.data.interactions import to_sequences
from seqrec.data.sequences import Sequences
from seqrec.data.sets.custom import Custom
from seqrec.data.sets.movielens import MovieLens
from seqrec.data.splits import LEAVE_ONE_OUT, TARGETS, Divided, ReadySplit, Split, TimeCut, UnseenUsers

RULES = [rules.last_window, rules.prefixes, rules.interactions, rules.non_overlapping, rules.random_cut]
RULES += [rules.full_chunks, rules.user_draws]
COLUMNS = {"user": "u", "item": "i", "time": "t", "rating": "r"}


def random_log(seed: int, users: int = 12, rows: int = 150, moments: int = 9) -> pl.DataFrame:
    """Interactions of few moments, so that most are tied, in any order; each row has its own item."""
    draw = np.random.default_rng(seed)
    time = draw.integers(0, moments, rows) if seed % 2 else draw.integers(0, moments, rows) / 4
    return pl.DataFrame({"user": draw.integers(0, users, rows), "item": draw.permutation(rows), "time": time})


def sequences_of(log: pl.DataFrame, keep: str = "time") -> Sequences:
    return to_sequences(log, Path("log"), 1, 1, "first_seen", keep=keep)


def in_order(log: pl.DataFrame, generator: np.random.Generator) -> pl.DataFrame:
    """A log with three parts, whose rows of a user are in the order of the parts."""
    log = log.sort("time", maintain_order=True)
    part = np.zeros(len(log), dtype=np.int8)
    for user in log["user"].unique():
        rows = np.flatnonzero(log["user"].to_numpy() == user)
        part[rows] = np.sort(generator.integers(0, 3, len(rows)))
    return log.with_columns(part=pl.Series(part))


def splits(seed: int) -> list[tuple[Split, str]]:
    """One of each kind for each choice of targets, and by what it goes."""
    found: list[tuple[Split, str]] = [(LEAVE_ONE_OUT, "time")]
    for target in TARGETS:
        found += [
            (TimeCut(0.5, 0.75, target, seed=seed), "time"),
            (TimeCut(0.5, 0.75, target, known_users=True), "time"),
            (UnseenUsers(0.2, 3, target, seed=seed), "time"),
            (ReadySplit("validation.csv", "test.csv", target), "part"),
        ]
    return found


@pytest.mark.parametrize("seed", range(12))
def test_no_target_is_older_than_what_trains_of_its_user(seed: int) -> None:
    log = in_order(random_log(seed), np.random.default_rng(seed))
    time = sequences_of(log).split_key
    assert time is not None and len(time.unique()) <= 9
    for split, keep in splits(seed):
        whole, val, test = split.divide(sequences_of(log, keep))
        trains = whole.training_mask()
        for windows in (val, test):
            assert len(windows)
            assert not trains[windows.stop].any()
            for user, start, stop in zip(windows.user, windows.start, windows.stop, strict=True):
                own = (whole.owner == user) & trains
                assert not own.any() or time[own].max() <= time[stop]
                assert start == whole.offsets[user] < stop < whole.offsets[user + 1]
        targets = torch.cat([val.stop, test.stop])
        assert len(targets.unique()) == len(targets)
        for rule in RULES:
            training = rule(whole, 4, torch.Generator().manual_seed(seed))
            assert trains[training.stop].all() and (training.start >= whole.offsets[training.user]).all()
        if isinstance(split, TimeCut):  # of all users, not only of the target's own
            assert time[trains].max() < time[val.stop].min() <= time[val.stop].max() < time[test.stop].min()
            assert not split.known_users or (whole.trained is not None and whole.trained[test.user].all())
        if isinstance(split, UnseenUsers):
            assert not torch.isin(targets, torch.nonzero(trains).flatten()).any()
            users = [set(part.tolist()) for part in (whole.owner[trains], val.user, test.user)]
            assert not users[0] & users[1] and not users[0] & users[2] and not users[1] & users[2]
            assert len(users[0]) + len(users[1]) + len(users[2]) == whole.num_users


@pytest.mark.parametrize("target", TARGETS)
def test_targets_of_a_cut_are_those_of_a_plain_loop(target: Any) -> None:
    log = random_log(1)
    whole, *found = TimeCut(3, 6, target).divide(sequences_of(log))
    rows: dict[int, list[tuple[int, int]]] = {}
    for user, item, time in log.iter_rows():
        rows.setdefault(user, []).append((time, item))
    for windows, low, high in zip(found, (3, 6), (6, 9), strict=True):
        expected: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
        for user, own in rows.items():
            own = sorted(own, key=lambda row: row[0])
            inside = [
                (item, tuple(before for _, before in own[:place]))
                for place, (time, item) in enumerate(own)
                if low <= time < high and place
            ]
            if inside:
                expected[user] = {"first": inside[:1], "last": inside[-1:]}.get(target, inside)
        raw = whole.item_ids.to_list()
        got: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
        for user, start, stop in zip(windows.user, windows.start, windows.stop, strict=True):
            items = [raw[i - 1] for i in whole.items[start : stop + 1].tolist()]
            got.setdefault(whole.user_ids[int(user)], []).append((items[-1], tuple(items[:-1])))
        if target == "random":
            assert got.keys() == expected.keys()
            assert all(len(some) == 1 and some[0] in expected[user] for user, some in got.items())
            assert any(some != expected[user][:1] for user, some in got.items())
        else:
            assert got == expected


def test_draws_are_the_same_for_the_same_seed_and_other_for_another() -> None:
    def found(make: Callable[[int], Split], seed: int) -> list[int]:
        return make(seed).divide(sequences_of(random_log(3))).test.stop.tolist()

    for make in (lambda s: UnseenUsers(0.2, 0.3, seed=s), lambda s: TimeCut(0.5, 0.7, "random", seed=s)):
        assert found(make, 0) == found(make, 0)
        assert len({tuple(found(make, seed)) for seed in range(8)}) > 2


def test_counts_on_ml1m_are_those_of_a_second_computation(
    data_root: Path, tmp_path: Path, loading: dict[str, Any]
) -> None:
    """The users whose original ratings are available; SQL on the raw file."""
    raw = data_root / "raw" / "ml-1m" / "ratings_users_1-2999.dat.gz"
    (tmp_path / "ratings.dat.gz").symlink_to(raw)
    lines = pl.read_csv(raw, has_header=False, new_columns=["line"], separator="\x01")
    log = lines.select(pl.col("line").str.split("::").list.to_struct(fields=["u", "i", "r", "t"])).unnest("line")
    log = log.cast(pl.Int64)
    while (rare := log.group_by("i").len().filter(pl.col("len") < 5)).height:  # all users keep more than 5
        log = log.join(rare, on="i", how="anti")
    cuts: list[tuple[Any, Any]] = [(0.8, 0.9), ("2000-11-15", "2000-12-05 12:30:00"), (974246400, 976019400.0)]
    for at in cuts:
        data = MovieLens(**loading, variant="ml-1m", root=str(tmp_path), split=TimeCut(at[0], at[1], "all"))
        data.setup()
        _check_counts(data, log, at)


def _check_counts(data: MovieLens, log: pl.DataFrame, at: tuple[Any, Any]) -> None:
    moments = sorted(log["t"].to_list())
    first, second = (moments[int(share * len(moments))] if share < 1 else share for share in _seconds(at))
    count = pl.SQLContext(log=log).execute(
        f"""
        SELECT COUNT(*) FILTER (WHERE t < {first}) AS train,
               COUNT(DISTINCT CASE WHEN t < {first} THEN u END) AS users,
               COUNT(*) FILTER (WHERE t >= {first} AND t < {second}) AS val,
               COUNT(*) FILTER (WHERE t >= {second}) AS test,
               COUNT(DISTINCT CASE WHEN t >= {second} THEN u END) AS testers
        FROM log
        """,
        eager=True,
    )
    begins = log.group_by("u").agg(pl.col("t").min())["t"]  # a user's first rating has no history
    expected = count.row(0, named=True)
    new_val, new_test = int(begins.is_between(first, second, closed="left").sum()), int((begins >= second).sum())
    trained = data.sequences.trained
    assert trained is not None
    assert int(trained.sum()) == expected["train"] and int((trained > 0).sum()) == expected["users"]
    assert len(data.splits["val"]) == expected["val"] - new_val
    assert len(data.splits["test"]) == expected["test"] - new_test
    assert len(data.splits["test"].user.unique()) == expected["testers"]


def _seconds(at: tuple[Any, Any]) -> list[float]:
    """Shares and times as they are, dates in seconds since 1970."""
    dates = pl.Series([one for one in at if isinstance(one, str)], dtype=pl.String).str.to_datetime(strict=False)
    return dates.dt.epoch("s").to_list() or list(at)


def write(path: Path, *rows: str) -> str:
    path.write_text("u,i,t,r\n" + "".join(f"{row}\n" for row in rows))
    return str(path)


def custom(loading: dict[str, Any], path: str, **options: Any) -> Custom:
    columns = options.pop("columns", COLUMNS)
    data = Custom(path=path, columns=columns, min_user=1, min_item=1, **loading, **options)
    data.setup()
    return data


def raw_windows(data: Custom, split: str) -> list[tuple[Any, list[Any], Any]]:
    """User, history and target of each window by their ids in the files."""
    raw, windows = data.sequences.item_ids.to_list(), data.splits[split]
    found = []
    for user, start, stop in zip(windows.user, windows.start, windows.stop, strict=True):
        items = [raw[i - 1] for i in data.sequences.items[start : stop + 1].tolist()]
        found.append((data.sequences.user_ids[int(user)], items[:-1], items[-1]))
    return found


def test_a_ready_split_is_taken_as_it_is(tmp_path: Path, loading: dict[str, Any]) -> None:
    train = write(tmp_path / "train.csv", "a,1,2,5", "a,2,1,5", "b,1,3,5")
    val = write(tmp_path / "val.csv", "a,3,2,5", "x,9,4,5")
    test = write(tmp_path / "test.csv", "b,4,7,5", "b,1,6,5", "x,1,9,5")
    data = custom(loading, train, split=ReadySplit(val, test))
    assert raw_windows(data, "val") == [("a", [2, 1], 3)]
    assert raw_windows(data, "test") == [("b", [1], 1), ("b", [1, 1], 4), ("x", [9], 1)]
    assert data.sequences.training_mask().sum() == 3
    digest = data.division_digest()
    last = custom(loading, train, split=ReadySplit(val, test, target="last"))
    assert raw_windows(last, "test") == [("b", [1, 1], 4), ("x", [9], 1)]
    assert last.sequences.digest() == data.sequences.digest() and last.division_digest() != digest
    other = custom(loading | {"seed": 5}, train, split=ReadySplit(val, test))
    assert other.division_digest() == digest
    write(tmp_path / "test.csv", "b,1,6,5")  # prepared anew, although the training file is the same
    assert raw_windows(custom(loading, train, split=ReadySplit(val, test)), "test") == [("b", [1], 1)]


def test_a_ready_split_that_knows_the_future_is_refused(tmp_path: Path, loading: dict[str, Any]) -> None:
    train = write(tmp_path / "train.csv", "a,1,2,5", "a,2,8,5", "b,1,3,5")
    val, test = write(tmp_path / "val.csv", "a,3,7,5"), write(tmp_path / "test.csv", "b,4,7,5")
    with pytest.raises(DataError, match=r"user a has an interaction in .*val.csv that is older than one in the train"):
        custom(loading, train, split=ReadySplit(val, test))
    in_file_order = custom(loading, train, split=ReadySplit(val, test), columns=COLUMNS | {"time": None})
    assert raw_windows(in_file_order, "val") == [("a", [1, 2], 3)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TimeCut("soon", 0.9), "data.split.validation='soon' is no date; write one such as 2019-12-31"),
        (lambda: TimeCut(0.5, True), "data.split.test=True: give a date"),
        (
            lambda: TimeCut(target=cast(Any, "al")),
            "data.split.target='al' is not one of first, last, all, random; did you mean",
        ),
        (lambda: UnseenUsers(0), "data.split.validation=0: give a share"),
        (lambda: UnseenUsers(0.1, 2.5), "data.split.test=2.5: give a share"),
        (lambda: TimeCut(0.9, 0.8).divide(sequences_of(random_log(1))), "at least one moment of the log must lie"),
        (
            lambda: TimeCut(0.9, "2019-01-01").divide(sequences_of(random_log(1))),
            "nothing lies behind it, as the times",
        ),
        (lambda: TimeCut(-5, 5).divide(sequences_of(random_log(1))), "nothing lies before it, as the times"),
        (lambda: UnseenUsers(6, 6).divide(sequences_of(random_log(1))), "some must train; lower them"),
        (lambda: TimeCut().divide(to_sequences(random_log(1), Path("log"), 1, 1, "first_seen")), "keep=self.split.key"),
    ],
)
def test_wrong_options_are_refused_in_one_line(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        make()
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_sequence_file_has_no_times(tmp_path: Path, loading: dict[str, Any]) -> None:
    (tmp_path / "log.txt").write_text("1 1 2 3\n2 1 2 3\n")
    with pytest.raises(DataError, match=r"needs numbers or dates there, not String"):
        sequences_of(random_log(1).with_columns(pl.col("time").cast(pl.String)))
    dates = random_log(1).with_columns(pl.from_epoch("time", time_unit="s"))
    assert sequences_of(dates).split_key.tolist() == [t * 10**6 for t in sequences_of(random_log(1)).split_key.tolist()]
    with pytest.raises(DataError, match="a sequence file has neither times nor ratings"):
        custom(loading, str(tmp_path / "log.txt"), split=TimeCut())
    unseen: Divided = UnseenUsers(1, 1).divide(sequences_of(random_log(2)))
    assert len(unseen.val) == len(unseen.test) == 1

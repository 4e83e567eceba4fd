"""Slices of users: their parts and sizes, and how long ago a user had the target, against a search by hand."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from seqrec.runs.slicing import slices, steps_since_target, with_columns
from tests.factories import small_synthetic

USERS = pl.DataFrame(
    {
        "history_length": [3, 3, 4, 9, 9, 12, 20, 20],
        "target_popularity": [0, 1, 1, 1, 5, 6, 7, 0],
        "steps_since": [None, 1, 1, 4, None, None, 9, None],
    }
)


def test_parts_are_named_and_hold_their_users() -> None:
    found = {(part.by, part.name): part.users.nonzero()[0].tolist() for part in slices(USERS)}
    assert found == {
        ("history length", "3 to 4"): [0, 1, 2],
        ("history length", "5 to 9"): [3, 4],
        ("history length", "10 to 20"): [5, 6, 7],
        ("target popularity", "0 to 1"): [0, 1, 2, 3, 7],
        ("target popularity", "2 to 6"): [4, 5],
        ("target popularity", "7"): [6],
        ("cold target", "not in training"): [0, 7],
        ("cold target", "in training"): [1, 2, 3, 4, 5, 6],
        ("repeat", "had it before"): [1, 2, 3, 6],
        ("repeat", "new to the user"): [0, 4, 5, 7],
        ("recency of a repeat", "1"): [1, 2],
        ("recency of a repeat", "2 to 4"): [3],
        ("recency of a repeat", "5 to 9"): [6],
    }


def test_what_holds_all_users_is_no_slice() -> None:
    alike = pl.DataFrame({"history_length": [3, 3], "target_popularity": [2, 2], "steps_since": [None, None]})
    assert slices(alike.cast(pl.Int64)) == []
    assert slices(pl.DataFrame()) == []


def test_steps_since_the_target_are_those_of_a_search(tmp_path: Path) -> None:
    data = small_synthetic(tmp_path, shortest=2, longest=30, num_items=20, max_length=5)
    table = dict(steps_since_target(data).iter_rows())
    sequences = data.sequences
    searched = {}
    for user, name in enumerate(sequences.user_ids):
        if sequences.lengths[user] < 3:
            continue  # such users are not evaluated
        *history, target = sequences.items[sequences.offsets[user] : sequences.offsets[user + 1]].tolist()
        newest_first = history[::-1]
        searched[name] = newest_first.index(target) + 1 if target in newest_first else None
    assert table == searched
    steps = [found for found in searched.values() if found]
    assert len(searched) > len(steps) > 0 and max(steps) > 1


def test_tables_of_the_same_users_are_put_together() -> None:
    ranks = pl.DataFrame({"rank": [1.0, 2.0]})
    named = ranks.with_columns(pl.Series("user", ["a", "b"]), pl.Series("history_length", [3, 4]))
    more = pl.DataFrame({"user": ["b", "a"], "steps_since": [None, 2]})
    found = with_columns([ranks, named], more)
    assert found.select("user", "history_length", "steps_since").rows() == [("a", 3, 2), ("b", 4, None)]
    assert with_columns([ranks, ranks]).width == 0
    for wrong in (more.head(1), more.with_columns(user=pl.Series(["a", "c"]))):
        with pytest.raises(ValueError, match="the data set has other test users"):
            with_columns([named], wrong)

"""A log that came later, put behind known histories: old numbers stay, new ones follow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import torch

from seqrec.data.attributes import extended
from seqrec.data.errors import DataError
from seqrec.data.growth import grown, joined, repeats, without_histories
from seqrec.data.sequences import Sequences

Histories = dict[str, list[str]]


def sequences(histories: Histories) -> Sequences:
    """As a log is read: items numbered by first appearance."""
    number: dict[str, int] = {}
    items = [number.setdefault(item, len(number) + 1) for row in histories.values() for item in row]
    offsets = torch.tensor([0, *map(len, histories.values())]).cumsum(0)
    order = torch.arange(1, len(number) + 1)
    ids = pl.Series(list(number), dtype=pl.String), pl.Series(list(histories), dtype=pl.String)
    return Sequences(torch.tensor(items, dtype=torch.int32), offsets, ids[1], ids[0], order)


def read(found: Sequences) -> Histories:
    users, items = found.user_ids.to_list(), found.item_ids.to_list()
    parts = found.items.tolist(), found.offsets.tolist()
    return {
        str(user): [str(items[item - 1]) for item in parts[0][start:stop]]
        for user, start, stop in zip(users, parts[1], parts[1][1:], strict=False)
    }


OLD: Histories = {"u": ["a", "b"], "v": ["b", "c"], "w": ["c"]}


def test_new_rows_go_behind_the_old_ones_of_each_user() -> None:
    known = sequences(OLD).renumbered(seed=3)
    found = grown(known, sequences({"x": ["n", "a", "m"], "v": ["a", "n"]}), 1, 1, seed=0)
    assert found.fault() is None
    assert read(found) == {"u": ["a", "b"], "v": ["b", "c", "a", "n"], "w": ["c"], "x": ["n", "a", "m"]}
    assert found.item_ids[:3].to_list() == known.item_ids.to_list()
    assert set(found.item_ids[3:]) == {"n", "m"}
    assert torch.equal(found.source_order[:3], known.source_order)


def test_the_numbers_of_new_items_do_not_follow_the_log() -> None:
    log = sequences({"x": [f"n{place}" for place in range(50)]})
    found = grown(sequences(OLD), log, 1, 1, seed=0)
    numbers = {name: place for place, name in enumerate(found.item_ids.to_list())}
    drawn = [numbers[f"n{place}"] for place in range(50)]
    assert drawn != sorted(drawn) and sorted(drawn) == list(range(3, 53))
    first_seen = dict(zip(found.item_ids.to_list(), found.source_order.tolist(), strict=True))
    assert [first_seen[f"n{place}"] for place in range(50)] == list(range(4, 54))


def test_new_items_and_users_that_are_too_rare_stay_out_and_old_ones_do_not() -> None:
    log = sequences({"x": ["n", "n", "m"], "y": ["m", "a"], "u": ["a"]})
    found = grown(sequences(OLD), log, 2, 2, seed=0)
    assert read(found) == {**OLD, "u": ["a", "b", "a"], "x": ["n", "n", "m"], "y": ["m", "a"]}
    found = grown(sequences(OLD), sequences({"x": ["n", "n", "m"], "y": ["k", "m"]}), 2, 2, seed=0)
    assert read(found) == {**OLD, "x": ["n", "n"]}
    assert found.dropped == {"interactions of users or items that are too rare": {"rows": 3}}


def test_ids_are_compared_as_text_and_become_text_where_types_differ() -> None:
    old = replace(sequences({"1": ["7"]}), item_ids=pl.Series([7]), user_ids=pl.Series([1]))
    same = grown(old, sequences({"1": ["7", "x"]}), 1, 1, seed=0)
    assert same.item_ids.to_list() == ["7", "x"] and same.user_ids.to_list() == [1]
    assert joined(pl.Series([1]), pl.Series([2], dtype=pl.Int32)).to_list() == [1, 2]


def test_a_log_that_holds_the_old_rows_once_more_is_recognised() -> None:
    assert repeats(sequences(OLD), sequences({"u": ["a", "b", "n"], "v": ["b", "c"], "x": ["a"]}))
    assert not repeats(sequences(OLD), sequences({"u": ["n", "c"], "v": ["a"], "x": ["a"]}))
    assert not repeats(sequences(OLD), sequences({"x": ["a"]}))


def test_a_whole_log_keeps_users_and_items_that_it_does_not_mention() -> None:
    found = grown(without_histories(sequences(OLD)), sequences({"v": ["b", "n"]}), 1, 1, seed=0)
    assert read(found) == {"u": [], "v": ["b", "n"], "w": []}
    assert found.item_ids.to_list() == ["a", "b", "c", "n"]


def test_attributes_keep_their_numbers(tmp_path: Path) -> None:
    old = torch.tensor([[2, 1], [1, 0]], dtype=torch.int32)
    names = {"n": ["red", "new", "big"], "b": ["red"], "a": ["big", "red"]}
    ids = pl.Series(["a", "b", "n", "m"])
    assert extended(old, names, ids, tmp_path).tolist() == [[2, 1], [1, 0], [1, 2], [0, 0]]
    with pytest.raises(DataError, match="attributes of item `b` are not those"):
        extended(old, names | {"b": ["big"]}, ids, tmp_path)

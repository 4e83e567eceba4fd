"""CoSeRec's and ICLRec's operators against plain loops that use the same draws, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable
from math import floor
from typing import Any

import pytest
import torch
from torch import Tensor

from seqrec.functional import augment, augment_similar
from seqrec.functional import item_similarity as similarity
from seqrec.functional.keyed_random import rng_keys, split, uniform
from seqrec.functional.ragged import ragged

ITEMS, TOKEN, ROWS = 90, -1, torch.arange(300)
LENGTHS = 1 + 7 * ROWS % 23
COLUMN = torch.arange(24)
HISTORIES = (1 + torch.randint(ITEMS, (300, 24), generator=torch.Generator().manual_seed(0))) * (
    LENGTHS[:, None] > COLUMN
)
KEYS = rng_keys(3, 1, ROWS, stream=1)
SIMILAR = torch.cat([torch.zeros(1), 1000 + torch.arange(1, ITEMS + 2)]).long()  # unlike any item
RATIOS = {"crop": 0.2, "mask": 0.7, "reorder": 0.7, "insert": 0.4, "substitute": 0.1}


def positions(key: Tensor, count: int, length: int) -> list[int]:
    draws = uniform(key[None], length)[0].tolist()
    return sorted(range(length), key=lambda i: (draws[i], i))[:count]


def start_of(key: Tensor, places: int) -> int:
    return floor(float(uniform(key[None], 1)) * places)


def crop(history: list[int], key: Tensor, ratio: float) -> list[int]:
    count = floor(ratio * len(history))
    start = start_of(key, len(history) - count)
    return history[start : start + max(1, count)]


def mask(history: list[int], key: Tensor, ratio: float) -> list[int]:
    hidden = positions(key, floor(ratio * len(history)), len(history))
    return [TOKEN if i in hidden else item for i, item in enumerate(history)]


def reorder(history: list[int], key: Tensor, ratio: float) -> list[int]:
    count = floor(ratio * len(history))
    place_key, order_key = split(key[None], 2)[0]
    start = start_of(place_key, len(history) - count)
    draws = uniform(order_key[None], len(history))[0].tolist()
    stretch = sorted(range(start, start + count), key=lambda i: draws[i])
    return history[:start] + [history[i] for i in stretch] + history[start + count :]


def insert(history: list[int], key: Tensor, ratio: float) -> list[int]:
    chosen = positions(key, max(1, floor(ratio * len(history))), len(history))
    longer = []
    for i, item in enumerate(history):
        longer += [1000 + item, item] if i in chosen else [item]
    return longer


def substitute(history: list[int], key: Tensor, ratio: float) -> list[int]:
    chosen = positions(key, max(1, floor(ratio * len(history))), len(history))
    return [1000 + item if i in chosen else item for i, item in enumerate(history)]


LOOPS: dict[str, Callable] = {f.__name__: f for f in (crop, mask, reorder, insert, substitute)}


def batched(name: str, items: Tensor, keys: Tensor) -> Tensor:
    ratio = RATIOS[name]
    histories = ragged(items)
    if name in ("insert", "substitute"):
        changed = getattr(augment_similar, name)(histories, augment.random_order(histories, keys), ratio, SIMILAR)
    elif name == "mask":
        changed = augment.mask(histories, augment.random_order(histories, keys), ratio, TOKEN)
    else:
        changed = getattr(augment, name)(histories, keys, ratio, augment.before_newest)
    return changed.padded(int(changed.length.max()))


def rows_of(items: Tensor) -> list[list[int]]:
    return [row[row != 0].tolist() for row in items]


@pytest.mark.parametrize("name", LOOPS)
def test_each_operator_is_its_loop(name: str) -> None:
    changed = batched(name, HISTORIES, KEYS)
    expected = [LOOPS[name](old, key, RATIOS[name]) for old, key in zip(rows_of(HISTORIES), KEYS, strict=True)]
    assert rows_of(changed) == expected
    column = torch.arange(changed.shape[1])
    count = torch.tensor([len(row) for row in expected])
    assert torch.equal(changed != 0, column < count[:, None])  # no gaps, nothing in the padding


@pytest.mark.parametrize("name", LOOPS)
def test_padding_and_batch_mates_change_nothing(name: str) -> None:
    some = torch.tensor([200, 21, 3, 0])
    narrow = HISTORIES[some][:, : int(LENGTHS[some].max())]
    assert rows_of(batched(name, narrow, KEYS[some])) == [rows_of(batched(name, HISTORIES, KEYS))[i] for i in some]


def test_stretches_never_reach_the_newest_item() -> None:
    n = torch.full((2000,), 10)
    starts = augment.before_newest(rng_keys(0, 0, torch.arange(2000), 1), n, torch.full_like(n, 4))
    assert sorted(set(starts.tolist())) == list(range(6))
    anywhere = augment.anywhere(rng_keys(0, 0, torch.arange(2000), 1), n, torch.full_like(n, 4))
    assert sorted(set(anywhere.tolist())) == list(range(7))


def informative(threshold: int, short: list[str], items: Tensor = HISTORIES, keys: Tensor = KEYS) -> Tensor:
    ratios: dict[str, Any] = {f"{name}_ratio": ratio for name, ratio in RATIOS.items()}
    changed = augment_similar.informative(ragged(items), keys, TOKEN, SIMILAR, threshold, short, **ratios)
    return changed.padded(int(changed.length.max()))


def operator_of(old: list[int], new: list[int]) -> set[str]:
    """The operators that can have made the new history."""
    if any(item > 1000 for item in new):
        return {"insert"} if len(new) > len(old) else {"substitute"}
    if TOKEN in new:
        return {"mask"}
    if len(new) < len(old):
        return {"crop"}
    return {"crop", "mask", "reorder"} if new == old else {"reorder"}


@pytest.mark.parametrize(
    ("threshold", "short"), [(4, ["substitute", "insert", "mask"]), (12, ["insert"]), (-1, ["mask"])]
)
def test_long_and_short_histories_get_their_operators(threshold: int, short: list[str]) -> None:
    repeated = HISTORIES.repeat(4, 1)
    drawn = rng_keys(0, 0, torch.arange(len(repeated)), 1)
    seen: dict[bool, dict[str, int]] = {True: {}, False: {}}
    for old, new in zip(rows_of(repeated), rows_of(informative(threshold, short, repeated, drawn)), strict=True):
        allowed = set(short) if len(old) <= threshold else set(LOOPS)
        made = operator_of(old, new) & allowed
        assert made
        if len(made) == 1:
            counts = seen[len(old) <= threshold]
            counts[next(iter(made))] = counts.get(next(iter(made)), 0) + 1
    assert set(seen[False]) == set(LOOPS) and set(seen[True]) == (set(short) if threshold > 0 else set())
    assert max(seen[False].values()) < 2 * min(seen[False].values())


def test_an_unknown_operator_is_named() -> None:
    with pytest.raises(ValueError, match=r"\['swap'\]; choose one or more of \['crop'"):
        informative(4, ["swap"])


def test_items_without_neighbours_get_random_ones_that_have() -> None:
    similar = similarity.Similar(torch.tensor([0, 2, 1, 0, 0, 4, 0]), torch.tensor([0, 0.5, 1, 0, 0, 0.3, 0]))
    seen: dict[int, set[int]] = {3: set(), 4: set()}
    for epoch in range(60):
        filled = similarity.with_random_neighbours(similar, rng_keys(0, epoch, torch.arange(7), 3))
        assert torch.equal(filled.item[[1, 2, 5]], similar.item[[1, 2, 5]])
        assert torch.equal(filled.score, similar.score)
        for item, found in seen.items():
            found.add(int(filled.item[item]))
    assert seen == {3: {1, 2, 5}, 4: {1, 2, 5}}
    alone = similarity.most_similar_by_users(torch.tensor([0, 1]), torch.tensor([1, 2]), 5, similarity.inverse_log)
    assert not alone.item.any() and not alone.score.any()
    assert set(similarity.with_random_neighbours(alone, rng_keys(0, 0, torch.arange(5), 3)).item.tolist()) <= {1, 2, 3}


def test_neighbours_by_users_are_those_of_plain_sets() -> None:
    generator = torch.Generator().manual_seed(5)
    user, item = torch.randint(12, (60,), generator=generator), 1 + torch.randint(9, (60,), generator=generator)
    sets = [set(item[user == u].tolist()) for u in range(12)]
    owners = {i: {u for u in range(12) if i in sets[u]} for i in range(1, 10)}
    dense = torch.cat(list(similarity.shared_users(user, item, 11, similarity.inverse_log)), 1)
    for i in owners:
        for j in owners:
            shared = sum(1 / float(torch.log(torch.tensor(1.0 + len(sets[u])))) for u in owners[i] & owners[j])
            expected = 0.0 if i == j or not shared else shared / (len(owners[i]) * len(owners[j])) ** 0.5
            assert abs(float(dense[i, j]) - expected) < 1e-5
    assert not dense[0].any() and not dense[:, 10].any()

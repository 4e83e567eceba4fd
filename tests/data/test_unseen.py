"""Unseen items against sets, and a sampler's uniformity."""

from __future__ import annotations

import pytest
import torch

from seqrec.data.indices.unseen import Unseen
from seqrec.data.windows import interactions, user_draws
from tests.factories import make_sequences

NUM_ITEMS = 9


HISTORIES: tuple[list[int], ...] = (
    [1, 9, 4, 4, 2, 3],
    [5],
    [],
    [9, 8, 1, 1, 7, 6],
    [2, 1],
    [3, 7, 8, 5, 1, 9, 4, 6, 1, 1],
)
SOME = make_sequences(HISTORIES, NUM_ITEMS)


def test_items_are_the_complement_of_the_training_part() -> None:
    unseen = Unseen.of(SOME)
    for user, (start, stop) in enumerate(zip(SOME.offsets[:-1].tolist(), SOME.offsets[1:].tolist(), strict=True)):
        seen = set(SOME.items[start : max(start, stop - 2)].tolist())
        expected = [item for item in range(1, NUM_ITEMS + 1) if item not in seen]
        assert unseen.count[user] == len(expected)
        assert unseen.items(torch.tensor([user]), torch.arange(len(expected))[None])[0].tolist() == expected


def test_a_user_who_has_all_items_is_named() -> None:
    with pytest.raises(ValueError, match="user u1 has all 9 items"):
        Unseen.of(make_sequences([[1, 2, 3], [*range(1, 10), 1, 2]], NUM_ITEMS))


def test_interactions_are_all_training_items_once() -> None:
    windows = interactions(SOME, 5, torch.Generator())
    batch = windows.batch(torch.arange(len(windows)), 5)
    found = list(zip(batch.user.tolist(), batch.target.tolist(), strict=True))
    training = [(0, [1, 9, 4, 4]), (3, [9, 8, 1, 1]), (5, [3, 7, 8, 5, 1, 9, 4, 6])]
    assert found == [(user, item) for user, items in training for item in items]
    assert batch.items.shape == (len(windows), 0)
    assert not batch.next_items.any()


def test_draws_of_users_are_uniform_over_users_and_over_the_items_of_each() -> None:
    parts = {0: [1, 9, 4, 4], 3: [9, 8, 1, 1], 5: [3, 7, 8, 5, 1, 9, 4, 6]}
    batches = []
    for epoch in range(1000):
        windows = user_draws(SOME, 5, torch.Generator().manual_seed(epoch))
        assert len(windows) == sum(map(len, parts.values()))
        assert (windows.lengths == 0).all() and not windows.all_positions
        batches.append(windows.batch(torch.arange(len(windows)), 5))
    user, item_of = (torch.cat([getattr(batch, part) for batch in batches]) for part in ("user", "target"))
    assert set(user.tolist()) == set(parts)
    for one, items in parts.items():
        assert (user == one).float().mean() == pytest.approx(1 / 3, abs=0.015)  # four standard deviations
        for item in set(items):
            share = (item_of[user == one] == item).float().mean()
            assert share == pytest.approx(items.count(item) / len(items), abs=0.025)
    assert not torch.equal(batches[0].target, batches[1].target)


def test_without_a_training_item_no_user_is_drawn() -> None:
    assert len(user_draws(make_sequences([[1, 2], [3]], NUM_ITEMS), 5, torch.Generator())) == 0

"""The cloze task: how many items are hidden, which are learnt, draws that depend on the row only."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from seqrec.functional.cloze import append, exact_share, independent, supervised_slots
from seqrec.functional.keyed_random import rng_keys

ROWS = torch.arange(400)
LENGTHS = 1 + 7 * ROWS % 20
ITEMS = (1 + torch.arange(20)) * (torch.arange(20) < LENGTHS[:, None])
KEYS = rng_keys(5, 2, ROWS, stream=3)


def test_independent_hides_a_share_of_the_items() -> None:
    hidden, learnt = independent(ITEMS, KEYS, 0.3, most=20)
    assert not hidden[ITEMS == 0].any()
    assert abs(hidden[ITEMS != 0].float().mean() - 0.3) < 0.02
    assert torch.equal(learnt[:, 1:], hidden[:, 1:]) and not learnt[:, 0].any()
    assert 0 < (hidden.sum(1) == 0).sum() < 200  # some histories are left whole


def test_the_newest_slots_are_learnt() -> None:
    hidden = torch.tensor([[1, 1, 0, 1, 1], [1, 0, 0, 0, 1], [0, 0, 0, 0, 0]]).bool()
    expected = torch.tensor([[0, 0, 0, 1, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]).bool()
    assert torch.equal(supervised_slots(hidden, 2), expected)


def test_exact_share_hides_a_number_between_one_and_most() -> None:
    hidden, learnt = exact_share(ITEMS, KEYS, 0.3, most=4)
    assert torch.equal(hidden, learnt) and not hidden[ITEMS == 0].any()
    assert torch.equal(hidden.sum(1), torch.tensor([min(4, max(1, round(0.3 * n))) for n in LENGTHS.tolist()]))
    longest = hidden[LENGTHS == 20].float().mean(0)
    assert (longest > 0).all() and (longest < 0.6).all()


@pytest.mark.parametrize("masks", [independent, exact_share])
def test_masks_do_not_depend_on_batch_mates_or_padding(masks: Callable) -> None:
    whole = masks(ITEMS, KEYS, 0.3, 4)
    some = torch.tensor([17, 3, 0, 90])
    width = int(LENGTHS[some].max())
    for part, expected in zip(masks(ITEMS[some, :width], KEYS[some], 0.3, 4), whole, strict=True):
        assert torch.equal(part, expected[some, :width])
    other = masks(ITEMS, rng_keys(5, 3, ROWS, stream=3), 0.3, 4)
    assert not torch.equal(other[0], whole[0])


def test_append_puts_an_item_at_the_end() -> None:
    items = torch.tensor([[1, 2, 3], [4, 0, 0], [5, 6, 0]])
    newest = torch.tensor([7, 8, 9])
    kept = append(items, newest, torch.zeros(3, dtype=torch.bool))
    assert kept.tolist() == [[1, 2, 3, 7], [4, 8, 0, 0], [5, 6, 9, 0]]
    some = append(items, newest, torch.tensor([True, True, False]))
    assert some.tolist() == [[2, 3, 7, 0], [8, 0, 0, 0], [5, 6, 9, 0]]

"""The cloze task: how many items are hidden, which are supervised, draws that depend on the row only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch

from seqrec.functional.augment import masked_positions
from seqrec.functional.cloze import append, exact_share, independent, left_to_right, sampled, supervised_slots
from seqrec.functional.keyed_random import rng_keys, uniform

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


@pytest.mark.parametrize("masks", [independent, exact_share, sampled, partial(left_to_right, max_length=20)])
def test_masks_do_not_depend_on_batch_mates_or_padding(masks: Callable) -> None:
    whole = masks(ITEMS, KEYS, 0.3, 4)
    some = torch.tensor([17, 3, 0, 90])
    width = int(LENGTHS[some].max())
    for part, expected in zip(masks(ITEMS[some, :width], KEYS[some], 0.3, 4), whole, strict=True):
        assert torch.equal(part, expected[some, :width])
    other = masks(ITEMS, rng_keys(5, 3, ROWS, stream=3), 0.3, 4)
    assert not torch.equal(other[0], whole[0])


def test_sampled_supervises_the_last_that_were_drawn() -> None:
    """The list that ECL-SR's code draws, and its last entries: any of what is hidden, the oldest as often as others."""
    hidden, supervised = sampled(ITEMS, KEYS, 0.3, most=4)
    assert torch.equal(hidden, masked_positions(ITEMS, KEYS, 0.3))
    number = uniform(KEYS, 20)
    for row, length in enumerate(LENGTHS.tolist()):
        drawn = sorted(range(1, length), key=lambda place: float(number[row, place]))
        drawn = drawn[: int(0.3 * length) + 1]
        assert hidden[row].nonzero()[:, 0].tolist() == sorted(drawn)
        assert supervised[row].nonzero()[:, 0].tolist() == sorted(drawn[-4:])
    keys = rng_keys(5, 2, torch.arange(4000), stream=3)
    hidden, supervised = sampled(ITEMS[LENGTHS == 20][:1].expand(4000, -1), keys, 0.3, most=4)
    share = supervised.sum(0)[1:] / hidden.sum(0)[1:]
    assert bool((share - 4 / 7).abs().max() < 0.08)


def test_left_to_right_supervises_the_newest() -> None:
    items = (torch.arange(9) < torch.tensor([[9], [4], [1]])).long().repeat(200, 1)
    keys = torch.arange(600) * 7919
    hidden, supervised = left_to_right(items, keys, 0.4, most=3, max_length=9)
    assert not hidden[::3, 0].any() and hidden[1::3, 0].any() and hidden[2::3, 0].all()
    assert not (hidden & (items == 0)).any() and hidden.any(1).all()
    assert hidden.sum(1).max() == 5  # the first count that reaches 0.4 * 9 + 1
    assert abs(hidden[::3, 1:4].float().mean() - 0.4) < 0.06
    for found, kept in zip(hidden, supervised, strict=True):
        assert kept.nonzero()[:, 0].tolist() == found.nonzero()[:, 0].tolist()[-3:]


def test_append_puts_an_item_at_the_end() -> None:
    items = torch.tensor([[1, 2, 3], [4, 0, 0], [5, 6, 0]])
    newest = torch.tensor([7, 8, 9])
    kept = append(items, newest, torch.zeros(3, dtype=torch.bool))
    assert kept.tolist() == [[1, 2, 3, 7], [4, 8, 0, 0], [5, 6, 9, 0]]
    some = append(items, newest, torch.tensor([True, True, False]))
    assert some.tolist() == [[2, 3, 7, 0], [8, 0, 0, 0], [5, 6, 9, 0]]

"""The two layouts agree wherever there is an item."""

from __future__ import annotations

import torch
from torch import Tensor

from seqrec.data.batch import Batch
from seqrec.functional.keyed_random import Stream, rng_keys
from seqrec.functional.left_padding import left_padded
from seqrec.methods.adversarial.layout import LeftPaddedWindows, RightPadded

ITEMS = torch.tensor([[5, 3, 9, 0], [7, 0, 0, 0], [2, 4, 6, 8]])
TARGET = torch.tensor([11, 12, 13])
NEXT_ITEMS = torch.tensor([[3, 9, 11, 0], [12, 0, 0, 0], [4, 6, 8, 13]])
BATCH = Batch(torch.arange(3), torch.arange(3), ITEMS, TARGET, NEXT_ITEMS)
RIGHT, LEFT = RightPadded(), LeftPaddedWindows(width=6)


def of_items(right: Tensor, left: Tensor) -> None:
    """Values of both layouts are equal at items."""
    valid = ITEMS != 0
    moved = left_padded(right, valid, 6)
    assert torch.equal(moved[left_padded(valid, valid, 6)], left[left_padded(valid, valid, 6)])


def test_items_and_what_follows_them() -> None:
    of_items(RIGHT.arrange(ITEMS, ITEMS != 0), LEFT.arrange(ITEMS, ITEMS != 0))
    of_items(RIGHT.following(BATCH), LEFT.following(BATCH))
    assert torch.equal(RIGHT.following(BATCH), NEXT_ITEMS)
    assert LEFT.following(BATCH).tolist()[1] == [0, 0, 0, 0, 7, 12]  # the last padding is followed by the oldest item


def test_draws_do_not_depend_on_padding() -> None:
    keys = rng_keys(0, 0, BATCH.row, Stream.MASK)
    right = RIGHT.draws(keys, ITEMS)
    of_items(right, LEFT.draws(keys, LEFT.arrange(ITEMS, ITEMS != 0)))
    assert torch.equal(RIGHT.draws(keys[1:2], ITEMS[1:2, :1]), right[1:2, :1])


def test_padding_is_supervised_in_windows_only() -> None:
    assert torch.equal(RIGHT.supervised(BATCH), NEXT_ITEMS != 0) and bool(LEFT.supervised(BATCH).all())
    newest = BATCH._replace(next_items=torch.where(TARGET[:, None] == NEXT_ITEMS, NEXT_ITEMS, 0))
    assert RIGHT.supervised(newest).sum(1).tolist() == [1, 1, 1]
    assert LEFT.supervised(newest).tolist() == [[False] * 5 + [True]] * 3
    assert (RIGHT.first_class, LEFT.first_class) == (1, 0)


def test_a_window_limits_how_many_hidden_items_are_filled_in() -> None:
    assert RIGHT.most_filled(ITEMS, 0.5) == 4  # columns of the batch: no limit
    assert LEFT.most_filled(ITEMS, 0.5) == 3


def test_the_mean_of_the_newest() -> None:
    states = torch.arange(24.0).view(1, 6, 4)
    valid = torch.tensor([[True, True, False, False, False, False]])
    torch.testing.assert_close(RIGHT.newest_mean(states, valid, 4), states[:, :2].mean(1))
    torch.testing.assert_close(LEFT.newest_mean(states, valid.flip(1), 4), states[:, 2:].mean(1))
    assert repr(LEFT) == "LeftPaddedWindows(width=6)"

"""Augmentations: counts, contents, and draws that depend on the row only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from seqrec.functional import augment, augment_states
from seqrec.functional.keyed_random import rng_keys
from seqrec.functional.pooling import newest, newest_mean
from seqrec.functional.ragged import one_after_the_other, ragged

TOKEN = 101


def histories(rows: Tensor, length: int) -> Tensor:
    """Row r has ``1 + 7 r mod 20`` distinct items."""
    column = torch.arange(length)
    return (1 + column + rows[:, None] % 3) * (column < (1 + 7 * rows % 20)[:, None])


ROWS = torch.arange(200)
ITEMS = histories(ROWS, 20)
LENGTHS = (ITEMS != 0).sum(1)
KEYS = rng_keys(5, 2, ROWS, stream=3)


def test_masked_positions_have_the_right_number_and_spare_the_first() -> None:
    masked = augment.masked_positions(ITEMS, KEYS, 0.4)
    expected = torch.tensor([min(int(0.4 * n) + 1, n - 1) for n in LENGTHS.tolist()])
    assert torch.equal(masked.sum(1), expected)
    assert not masked[:, 0].any() and not (masked & (ITEMS == 0)).any()
    longest = int(LENGTHS.max())
    often = masked[longest == LENGTHS].float().mean(0)
    assert (often[1:longest] > 0).all()


def test_crop_keeps_a_stretch() -> None:
    cropped = augment.crop(ragged(ITEMS), KEYS, 0.6).padded(20)
    kept = (cropped != 0).sum(1)
    assert torch.equal(kept, torch.tensor([max(1, int(0.6 * n)) for n in LENGTHS.tolist()]))
    for row, n in zip(cropped, kept, strict=True):
        assert torch.equal(row[:n], row[0] + torch.arange(n)) and not row[n:].any()
    assert (cropped.amax(1) <= ITEMS.amax(1)).all() and len(set((cropped[:, 0] - ITEMS[:, 0]).tolist())) > 3


def test_mask_hides_a_share() -> None:
    masked = augment.mask(ragged(ITEMS), augment.random_order(ragged(ITEMS), KEYS), 0.3, TOKEN).padded(20)
    assert torch.equal((masked == TOKEN).sum(1), (0.3 * LENGTHS.double()).floor().long())
    assert torch.equal(masked[masked != TOKEN], ITEMS[masked != TOKEN])


def test_reorder_shuffles_one_stretch() -> None:
    shuffled = augment.reorder(ragged(ITEMS), KEYS, 0.6).padded(20)
    assert torch.equal(shuffled.sort(1).values, ITEMS.sort(1).values)
    assert torch.equal(shuffled != 0, ITEMS != 0)
    for old, new, n in zip(ITEMS, shuffled, LENGTHS.tolist(), strict=True):
        changed = (old != new).nonzero().flatten()
        assert len(changed) == 0 or int(changed[-1] - changed[0]) < int(0.6 * n)
    assert (shuffled != ITEMS).any(1).float().mean() > 0.5


def test_dsa_makes_all_three_choices() -> None:
    changed = augment.dsa(ragged(ITEMS), KEYS, TOKEN, 0.6, 0.3, 0.6).padded(20)
    masked = (changed == TOKEN).any(1)
    cropped = (changed != 0).sum(1) < LENGTHS
    long = LENGTHS > 8
    for share in (masked[long], cropped[long], ~(masked | cropped)[long]):
        assert 0.15 < share.float().mean() < 0.55


STATE_AUGMENTATIONS = {
    "dropout": partial(augment_states.dropout, probability=0.2),
    "perturbation": partial(augment_states.perturbation, magnitude=0.1),
    "mask": partial(augment_states.mask, ratio=0.4),
    "dynamic": partial(augment_states.dynamic, probability=0.2, magnitude=0.1, ratio=0.4),
}


def states_of(items: Tensor, rows: Tensor, window: int) -> tuple[Tensor, Tensor]:
    x = torch.sin(torch.arange(8) + items[..., None].float() * 3 + rows[:, None, None])
    return newest(x, items != 0, window)[0], items != 0


@pytest.mark.parametrize("name", STATE_AUGMENTATIONS)
@pytest.mark.parametrize("window", [4, 30])
def test_state_draws_depend_on_the_row_only(name: str, window: int) -> None:
    change = STATE_AUGMENTATIONS[name]
    whole = change(*states_of(ITEMS, ROWS, window), KEYS)
    some = torch.tensor([150, 21, 3])
    narrow = histories(some, int(LENGTHS[some].max()))
    torch.testing.assert_close(change(*states_of(narrow, some, window), KEYS[some]), whole[some], rtol=0, atol=0)
    assert not torch.equal(whole, states_of(ITEMS, ROWS, window)[0])


@pytest.mark.parametrize(
    "change",
    [
        partial(augment.crop, ratio=0.6),
        lambda histories, keys: augment.mask(histories, augment.random_order(histories, keys), 0.3, TOKEN),
        partial(augment.reorder, ratio=0.6),
        partial(augment.dsa, token=TOKEN, crop_ratio=0.6, mask_ratio=0.3, reorder_ratio=0.6),
    ],
)
def test_item_draws_depend_on_the_row_only(change: Callable) -> None:
    whole = change(ragged(ITEMS), KEYS).padded(20)
    some = torch.tensor([150, 21, 3, 0])
    length = int(LENGTHS[some].max())
    narrow = histories(some, length)
    assert torch.equal(change(ragged(narrow), KEYS[some]).padded(length), whole[some][:, :length])
    row = torch.arange(len(some)).repeat_interleave(LENGTHS[some])
    assert torch.equal(change(one_after_the_other(row, narrow[narrow != 0], 4), KEYS[some]).padded(20), whole[some])


def test_masked_positions_depend_on_the_row_only() -> None:
    some = torch.tensor([150, 21, 3, 0])
    length = int(LENGTHS[some].max())
    masked = augment.masked_positions(histories(some, length), KEYS[some], ratio=0.4)
    assert torch.equal(masked, augment.masked_positions(ITEMS, KEYS, ratio=0.4)[some][:, :length])


def test_state_dropout_and_perturbation_have_their_size() -> None:
    ones = torch.ones(200, 5, 32)
    valid = torch.ones(200, 5, dtype=torch.bool)
    assert abs(augment_states.dropout(ones, valid, KEYS, 0.2).mean().item() - 0.8) < 0.01
    grown = augment_states.perturbation(ones, valid, KEYS, 0.1)
    assert grown.min() >= 1 and grown.max() < 1.1 and abs(grown.mean().item() - 1.05) < 1e-3


@pytest.mark.parametrize("ratio", [0.5, 0.999])
def test_state_mask_counts_over_the_history_and_spares_one(ratio: float) -> None:
    valid = ITEMS != 0
    ones = valid[..., None].float().expand(-1, -1, 2)
    all_states = augment_states.mask(newest(ones, valid, 20)[0], valid, KEYS, ratio)
    left = all_states[..., 0].sum(1)
    assert torch.equal(LENGTHS - left.long(), (ratio * LENGTHS.double()).floor().long())
    window = augment_states.mask(newest(ones, valid, 3)[0], valid, KEYS, ratio)
    assert (window[..., 0].sum(1) >= 1).all()


def test_newest_mean_counts_valid_positions_only() -> None:
    x = torch.randn(3, 5, 2)
    valid = torch.tensor([[1, 0, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]).bool()
    expected = torch.stack([x[0, 0], x[1, 1:3].mean(0), x[2, 3:].mean(0)])
    torch.testing.assert_close(newest_mean(x, valid, 2), expected)
    torch.testing.assert_close(newest_mean(x, valid, 9)[1], x[1, :3].mean(0))

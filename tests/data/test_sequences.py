"""Sequences: which user an interaction belongs to, and which interactions are for training."""

from __future__ import annotations

import polars as pl
import pytest
import torch

from seqrec.data.sequences import Sequences

LENGTHS = (4, 1, 0, 2, 5, 3)


@pytest.fixture
def sequences() -> Sequences:
    lengths = torch.tensor(LENGTHS)
    total = int(lengths.sum())
    return Sequences(
        items=torch.arange(1, total + 1, dtype=torch.int32),
        offsets=torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)]),
        user_ids=pl.Series(range(len(LENGTHS))),
        item_ids=pl.Series(range(1, total + 1)),
        source_order=torch.arange(1, total + 1),
    )


def test_each_interaction_has_its_owner(sequences: Sequences) -> None:
    expected = [user for user, length in enumerate(LENGTHS) for _ in range(length)]
    assert sequences.owner.tolist() == expected


@pytest.mark.parametrize("held_out", [0, 1, 2, 3])
def test_the_last_interactions_of_each_user_are_no_training(sequences: Sequences, held_out: int) -> None:
    expected = [place < length - held_out for length in LENGTHS for place in range(length)]
    assert sequences.training_mask(held_out).tolist() == expected


def test_validation_and_test_targets_are_held_out_by_default(sequences: Sequences) -> None:
    assert torch.equal(sequences.training_mask(), sequences.training_mask(held_out=2))

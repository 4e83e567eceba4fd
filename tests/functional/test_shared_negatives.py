"""Losses with shared negatives against loops over their definitions, and what the grouping promises."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from seqrec.functional import keyed_random
from seqrec.functional.shared_negatives import bpr_max, shared, shared_softmax


def double(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("correct", [False, True])
def test_shared_softmax_by_loops(correct: bool) -> None:
    scores, log_frequency = double(4, 7), double(7, seed=1) if correct else None
    expected = 0.0
    for i in range(4):
        row = [scores[i, j].item() - (log_frequency[j].item() if correct else 0.0) for j in range(7)]
        expected -= math.log(math.exp(row[i]) / sum(math.exp(x) for x in row)) / 4
    assert shared_softmax(scores, log_frequency).item() == pytest.approx(expected)


@pytest.mark.parametrize("elu", [0.0, 0.5])
def test_bpr_max_by_loops(elu: bool) -> None:
    scores, expected = double(4, 7), 0.0
    for i in range(4):
        row = [x if x > 0 or elu == 0 else elu * (math.exp(x) - 1) for x in scores[i].tolist()]
        others = [x for j, x in enumerate(row) if j != i]
        whole = sum(math.exp(x) for x in others)
        won = sum(math.exp(x) / whole / (1 + math.exp(x - row[i])) for x in others)
        penalty = sum(math.exp(x) / whole * x * x for x in others)
        expected += (1.95 * penalty - math.log(won)) / 4
    assert bpr_max(scores, score_weight=1.95, elu=elu).item() == pytest.approx(expected)


@pytest.mark.parametrize("loss", [shared_softmax, partial(bpr_max, score_weight=1.0, elu=0.5)])
def test_extreme_scores_keep_a_finite_gradient(loss: Callable) -> None:
    scores = torch.tensor([[-300.0, 300.0, 5.0], [300.0, -300.0, 0.0]], requires_grad=True)
    value = loss(scores)
    value.backward()
    assert (
        bool(torch.isfinite(value))
        and scores.grad is not None
        and scores.grad is not None
        and bool(torch.isfinite(scores.grad).all())
    )


def test_the_order_of_positions_changes_nothing() -> None:
    states, table, target = double(20, 4), double(12, 4, seed=1), torch.arange(20) % 10 + 1
    keys = keyed_random.rng_keys(0, 0, torch.arange(20), 0)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    options: dict[str, Any] = {"loss": shared_softmax, "num_negatives": 3, "group_size": 6}
    first = shared(states, target, table, keys, **options)
    second = shared(states[order], target[order], table, keys[order], **options)
    torch.testing.assert_close(second, first)


def test_groups_and_samples() -> None:
    """Every position is once in a group of the asked size; samples are items, uniform, new in each group."""
    table = torch.arange(12.0)[:, None]  # ten items whose vector is their id
    target, keys = torch.arange(3000) % 10 + 1, keyed_random.rng_keys(0, 0, torch.arange(3000), 0)
    columns = []

    def keep(scores: Tensor) -> Tensor:
        columns.append(scores[0].long())
        return scores.sum() * 0

    shared(torch.ones(3000, 1), target, table, keys, keep, num_negatives=40, group_size=70)
    assert [len(part) - 40 for part in columns] == [70] * 42 + [60]
    in_batch = torch.cat([part[:-40] for part in columns])
    assert torch.equal(torch.bincount(in_batch, minlength=12)[1:11], torch.full((10,), 300))
    counts = torch.bincount(torch.cat([part[-40:] for part in columns]), minlength=12)
    assert counts[[0, 11]].tolist() == [0, 0]
    expected = 40 * len(columns) / 10
    assert ((counts[1:11] - expected) ** 2 / expected).sum() < 30  # chi-square, 9 degrees of freedom, p ~ 4e-4


def test_refuses_to_share_nothing() -> None:
    table = double(12, 4)
    for negatives, size in ((0, 5), (5, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            shared(double(3, 4), torch.ones(3).long(), table, torch.arange(3), shared_softmax, negatives, size)

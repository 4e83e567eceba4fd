"""InfoNCE losses against sums over one pair at a time."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from seqrec.functional.in_batch.info_nce import anchored_info_nce_rows, info_nce, nt_xent, pairwise_nt_xent

ROWS, DIM, TAU = 5, 3, 0.4


@pytest.fixture
def views() -> tuple[Tensor, Tensor]:
    first, second = torch.randn(2, ROWS, DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return first, second


def one_by_one(first: Tensor, second: Tensor, labels: list[int], cosine: bool) -> float:
    """Mean over the 2B vectors of ``-log(own / (own + others))``; vectors with the same label are left out."""
    both = torch.cat([first, second])
    if cosine:
        both = both / both.norm(dim=1, keepdim=True)
    losses = []
    for i in range(2 * ROWS):
        own = math.exp(float(both[i] @ both[(i + ROWS) % (2 * ROWS)]) / TAU)
        others = [
            math.exp(float(both[i] @ both[j]) / TAU) for j in range(2 * ROWS) if labels[j % ROWS] != labels[i % ROWS]
        ]
        losses.append(-math.log(own / (own + sum(others))))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("labels", [None, [0, 1, 2, 1, 1]])
def test_info_nce(views: tuple[Tensor, Tensor], labels: list[int] | None) -> None:
    given = None if labels is None else torch.tensor(labels)
    expected = one_by_one(*views, labels or list(range(ROWS)), cosine=False)
    assert float(info_nce(*views, given, TAU)) == pytest.approx(expected)


def test_nt_xent_is_that_of_cosines(views: tuple[Tensor, Tensor]) -> None:
    assert float(nt_xent(*views, TAU)) == pytest.approx(one_by_one(*views, list(range(ROWS)), cosine=True))


def test_pairs_of_views_of_length_one(views: tuple[Tensor, Tensor]) -> None:
    three = torch.nn.functional.normalize(torch.stack([*views, views[0] + views[1]]), dim=2)
    table = pairwise_nt_xent(three, TAU)
    assert torch.equal(table.diagonal(), torch.zeros(3, dtype=torch.float64)) and torch.equal(table, table.T)
    torch.testing.assert_close(table[0, 2], nt_xent(three[0], three[2], TAU))


def test_an_anchor_has_its_positive_in_the_place_of_its_own_negative(views: tuple[Tensor, Tensor]) -> None:
    anchor, other = (torch.nn.functional.normalize(x, dim=1) for x in views)
    loss = anchored_info_nce_rows(*views, views[1].flip(0), TAU)
    for i in range(ROWS):
        scores = anchor[i] @ other.flip(0).T / TAU
        scores[i] = anchor[i] @ other[i] / TAU
        assert float(loss[i]) == pytest.approx(float(torch.logsumexp(scores, 0) - scores[i]))

"""Ranks against sorting, ties, removal, and the refusal of broken scores."""

from __future__ import annotations

import pytest
import torch

from seqrec.functional import ranking


def brute_rank(scores: list[float], target: int, removed: set[int]) -> float:
    """Mean place of the target over all orders of equal scores."""
    own = scores[target - 1]
    if target in removed:
        return float("inf")
    others = [s for i, s in enumerate(scores, start=1) if i != target and i not in removed]
    return 1 + sum(s > own for s in others) + 0.5 * sum(s == own for s in others)


def test_rank_against_sorting_with_ties_and_removed_items() -> None:
    generator = torch.Generator().manual_seed(1)
    scores = torch.randint(0, 8, (40, 23), generator=generator).float()  # many ties
    target = torch.randint(1, 24, (40,), generator=generator)
    row = torch.randint(0, 40, (300,), generator=generator)
    item = torch.randint(1, 24, (300,), generator=generator)
    rank = ranking.target_rank(scores, target, (row, item))
    for b in range(40):
        removed = set(item[row == b].tolist())
        assert rank[b].item() == brute_rank(scores[b].tolist(), int(target[b]), removed)
    assert torch.equal(ranking.ranks_without_waiting(scores, target, (row, item)), rank)
    assert torch.equal(ranking.ranks_without_waiting(scores, target, None), ranking.target_rank(scores, target))


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, target = torch.randn(6, 50), torch.randint(1, 51, (6,))
    whole = ranking.target_rank(scores, target)
    monkeypatch.setattr(ranking, "CACHED_ELEMENTS", 100)
    assert torch.equal(ranking.target_rank(scores, target), whole)


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), float("-inf")])
def test_broken_scores_are_refused(broken: float) -> None:
    scores = torch.zeros(3, 5)
    scores[1, 2] = broken
    with pytest.raises(ValueError, match="NaN or infinity"):
        ranking.target_rank(scores, torch.tensor([1, 2, 3]))
    rank = ranking.ranks_without_waiting(scores, torch.tensor([1, 2, 3]), None)
    assert rank.isnan().tolist() == [False, True, False]
    with pytest.raises(ValueError, match="NaN or infinity"):
        ranking.check_ranks(rank)


def test_a_sum_that_overflows_is_no_fault() -> None:
    scores = torch.full((2, 4), 3e38)
    scores[:, 1] = -3e38
    assert ranking.target_rank(scores, torch.tensor([1, 2])).tolist() == [2.0, 4.0]


def test_half_precision_is_ranked_in_float32() -> None:
    scores = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.bfloat16)
    assert ranking.target_rank(scores, torch.tensor([2])).item() == 2.0


def test_metrics_of_known_ranks() -> None:
    rank = torch.tensor([1.0, 2.0, 10.0, 10.5, 11.0, torch.inf])
    assert ranking.recall(rank, 10).tolist() == [1, 1, 1, 0, 0, 0]
    expected = [
        1.0,
        1 / torch.log2(torch.tensor(3.0)).item(),
        1 / torch.log2(torch.tensor(11.0)).item(),
        0,
        0,
        0,
    ]
    assert ranking.ndcg(rank, 10).tolist() == pytest.approx(expected, rel=1e-6)
    assert ranking.reciprocal_rank(rank).tolist() == pytest.approx([1, 0.5, 0.1, 1 / 10.5, 1 / 11, 0])


@pytest.mark.parametrize(("columns", "k"), [(9, 9), (300, 20), (1300, 2), (5000, 7)])
def test_the_best_come_in_order_of_score_then_column(columns: int, k: int) -> None:
    for levels in (3, 50, 100_000):
        scores = torch.randint(0, levels, (20, columns), generator=torch.Generator().manual_seed(levels)).float()
        values, order = scores.sort(dim=1, descending=True, stable=True)
        found = ranking.best(scores, k)
        assert torch.equal(found[0], values[:, :k])
        assert torch.equal(found[1], order[:, :k])

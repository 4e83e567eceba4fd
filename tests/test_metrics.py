"""Metrics over one split, slices, and the check of the evaluator."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import torch
from torch import Tensor

from seqrec.data.batch import Histories
from seqrec.data.sets.synthetic import Synthetic
from seqrec.functional.ranking import target_rank
from seqrec.methods import evaluation
from seqrec.methods.evaluation import evaluate, rank_targets
from seqrec.metrics import Protocol, RankingMetrics, summarise
from seqrec.runs.result import slices
from seqrec.training import evaluator_check
from tests.factories import small_synthetic

CUTOFFS = [5, 10, 20]


@pytest.fixture
def ranks() -> Tensor:
    """Ranks of 1,000 windows: whole, half and infinite."""
    generator = torch.Generator().manual_seed(0)
    rank = torch.randint(2, 400, (1000,), generator=generator).double() / 2
    rank[::50] = torch.inf
    return rank


@pytest.fixture
def data(tmp_path: Path) -> Synthetic:
    return small_synthetic(tmp_path)


def trainer_of(rank: int, world: int) -> Any:
    """What a data module asks of the trainer of a rank."""
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    return SimpleNamespace(current_epoch=0, global_rank=rank, world_size=world, strategy=strategy)


def metrics_of(parts: list[Tensor], rank: Tensor) -> tuple[dict[str, float], Tensor, Tensor]:
    metric = RankingMetrics(CUTOFFS)
    for rows in parts:
        metric.update(rows, rank[rows])
    return metric.compute()


@pytest.mark.parametrize("size", [1, 7, 256, 1000])
def test_order_and_batches_change_no_digit(ranks: Tensor, size: int) -> None:
    expected, rows, sorted_ranks = metrics_of([torch.arange(1000)], ranks)
    order = torch.randperm(1000, generator=torch.Generator().manual_seed(size))
    found, found_rows, found_ranks = metrics_of(list(order.split(size)), ranks)
    assert found == expected == summarise(ranks, CUTOFFS)
    assert torch.equal(found_rows, rows)
    assert torch.equal(found_ranks, sorted_ranks)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_the_number_of_ranks_changes_no_digit(
    ranks: Tensor, data: Synthetic, world: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The states of all ranks are gathered in the order of ranks, as torchmetrics does."""
    number = len(data.splits["test"])
    shares = []
    for rank in range(world):
        data.trainer = trainer_of(rank, world)
        metric = RankingMetrics(CUTOFFS)
        for batch in data.test_dataloader():
            metric.update(batch.row, ranks[batch.row])
        shares.append(metric)
    whole = RankingMetrics(CUTOFFS)
    whole.row = [part for share in shares for part in share.row]
    whole.rank = [part for share in shares for part in share.rank]
    whole._update_count = 1
    found, rows, _ = whole.compute()
    assert torch.equal(rows, torch.arange(number))
    assert found == summarise(ranks[:number], CUTOFFS)


def test_batches_are_the_same_for_any_number_of_ranks(data: Synthetic) -> None:
    """A score may depend on its batch in the last digit, so ranks share out whole batches."""
    found = []
    for world in (1, 2, 3):
        batches = set()
        for rank in range(world):
            data.trainer = trainer_of(rank, world)
            batches |= {tuple(batch.row.tolist()) for batch in data.val_dataloader()}
        found.append(batches)
    assert found[0] == found[1] == found[2]


def test_every_rank_has_a_batch(data: Synthetic) -> None:
    seen = []
    for rank in range(100):
        data.trainer = trainer_of(rank, 100)
        batches = list(data.val_dataloader())
        assert batches
        seen += [row for batch in batches for row in batch.row.tolist()]
    assert sorted(seen) == list(range(100))
    data.trainer = trainer_of(0, 101)
    with pytest.raises(ValueError, match="100 users cannot be shared by 101 processes"):
        data.val_dataloader()


@pytest.mark.parametrize("constant", [False, True])
def test_slices_hold_every_user_once(ranks: Tensor, constant: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    length = torch.full((1000,), 7) if constant else torch.randint(3, 60, (1000,), generator=generator)
    popularity = torch.randint(0, 3, (1000,), generator=generator) ** 4
    columns = {"rank": ranks, "history_length": length, "target_popularity": popularity}
    table = pl.DataFrame({name: column.numpy() for name, column in columns.items()})
    rows = slices(table, CUTOFFS)
    for by, value in (("history_length", length), ("target_popularity", popularity)):
        parts = [row for row in rows if row["by"] == by]
        assert sum(part["users"] for part in parts) == 1000
        assert all(part["users"] > 0 for part in parts)
        for part in parts:
            inside = (value >= part["from"]) & (value <= part["to"])
            assert part["users"] == int(inside.sum())
            assert part["ndcg@10"] == summarise(ranks[inside], CUTOFFS)["ndcg@10"]
        borders = [(part["from"], part["to"]) for part in parts]
        assert all(one[1] < two[0] for one, two in pairwise(borders))


def optimistic(scores: Tensor, target: Tensor, removed: Any = None) -> Tensor:
    """Ties count for the target."""
    of_target = scores.gather(1, (target - 1)[:, None])
    return 1.0 + (scores > of_target).sum(1).double()


def pessimistic(scores: Tensor, target: Tensor, removed: Any = None) -> Tensor:
    """Ties count against the target."""
    of_target = scores.gather(1, (target - 1)[:, None])
    return (scores >= of_target).sum(1).double()


def shifted(scores: Tensor, target: Tensor, removed: Any = None) -> Tensor:
    """Column and item id are taken for the same."""
    return target_rank(scores, target % scores.shape[1] + 1, removed)


def tolerant(scores: Tensor, target: Tensor, removed: Any = None) -> Tensor:
    """NaN is a low score."""
    return target_rank(scores.nan_to_num(-1.0), target, removed)


def reversed_order(scores: Tensor, target: Tensor, removed: Any = None) -> Tensor:
    """The lowest score is best."""
    return target_rank(-scores, target, removed)


def test_canaries_pass_on_the_real_evaluator(data: Synthetic) -> None:
    evaluator_check.check_evaluator(data, Protocol("test", False, CUTOFFS))


@pytest.mark.parametrize("broken", [optimistic, pessimistic, shifted, tolerant, reversed_order])
def test_canaries_find_a_broken_ranking(
    data: Synthetic, broken: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluator_check, "target_rank", broken)
    with pytest.raises(ValueError):
        evaluator_check.check_evaluator(data, Protocol("test", False, CUTOFFS))


@pytest.mark.parametrize("remove_seen", [False, True])
def test_evaluation_without_a_trainer_ranks_as_the_definition_says(data: Synthetic, remove_seen: bool) -> None:
    table = torch.randn(int(data.sequences.items.max()) + 1, data.sequences.num_items)

    def score(histories: Histories) -> Tensor:
        return table[histories.items[:, 0]]

    metrics = evaluate(score, data, "test", Protocol("test", remove_seen, CUTOFFS))
    windows = data.splits["test"]
    whole = windows.batch(torch.arange(len(windows)), data.max_length)
    removed = windows.seen(torch.arange(len(windows))) if remove_seen else None
    _, row, rank = metrics.compute()
    assert torch.equal(row, whole.row)
    assert torch.equal(rank, target_rank(table[whole.items[:, 0]], whole.target, removed))


def test_large_catalogues_are_ranked_in_parts(data: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    table = torch.randn(data.sequences.num_items + 1, data.sequences.num_items)
    protocol, sizes = Protocol("test", True, CUTOFFS), []

    def score(histories: Histories) -> Tensor:
        sizes.append(len(histories.items))
        return table[histories.items[:, 0]]

    whole = evaluate(score, data, "val", protocol).compute()
    monkeypatch.setattr(evaluation, "SCORE_ELEMENTS", 7 * data.sequences.num_items)
    assert max(sizes) > 7
    sizes.clear()
    parts = evaluate(score, data, "val", protocol).compute()
    assert max(sizes) == 7
    assert parts[0] == whole[0]
    assert torch.equal(parts[2], whole[2])


def test_seen_items_that_a_batch_does_not_carry_are_missed(data: Synthetic) -> None:
    batch = next(data.ranked_batches("val", with_seen=False))
    with pytest.raises(ValueError, match="the batch carries none"):
        rank_targets(lambda histories: torch.zeros(len(histories.items), 9), batch, 9, remove_seen=True)

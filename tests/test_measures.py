"""What the test gives beside Recall, NDCG and MRR, against plain loops; and references beside popularity."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from seqrec.data.batch import Histories
from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.sequences import Sequences
from seqrec.data.splits import Split, TimeCut, UnseenUsers
from seqrec.functional.lists import gini
from seqrec.methods.counting import RandomScores, RecentPopular
from seqrec.methods.evaluation import evaluate, further_measures
from seqrec.metrics import MEASURES, ListCounts, Protocol
from seqrec.training.references import reference_results
from tests.factories import make_sequences, small_synthetic

CUTOFFS = [1, 4, 60]


def synthetic(folder: Path, split: Split) -> SequenceDataModule:
    sizes = {"num_users": 60, "shortest": 5, "longest": 9, "num_items": 50, "num_types": 2, "branching": 3, "period": 6}
    return small_synthetic(folder, **sizes, max_length=6, batch_size=8, eval_batch_size=7, split=split)


def noisy(num_items: int) -> Tensor:
    """Scores after each item that favour some items, with ties."""
    draw = torch.Generator().manual_seed(0)
    return (torch.randn(num_items + 1, num_items, generator=draw) + torch.arange(num_items) / 20).round(decimals=1)


@pytest.mark.parametrize("remove_seen", [False, True])
def test_measures_are_those_of_a_plain_loop(tmp_path: Path, remove_seen: bool) -> None:
    data = synthetic(tmp_path, UnseenUsers(0.1, 0.5, target="all"))
    num_items, table = data.sequences.num_items, noisy(data.sequences.num_items)

    def score(histories: Histories) -> Tensor:
        return table[histories.items[:, 0]]

    protocol = Protocol("test", remove_seen, CUTOFFS, list(MEASURES))
    lists = ListCounts(CUTOFFS, num_items)
    metrics, row, rank = evaluate(score, data, "test", protocol, lists).results()
    found = further_measures(data, protocol, row, rank, lists)

    windows, sequences = data.splits["test"], data.sequences
    trained = Counter(sequences.items[sequences.training_mask()].tolist())
    smoothed = sum(trained.values()) + num_items
    targets = sequences.items[windows.stop].tolist()
    assert len(targets) > len(set(windows.user.tolist())) > 20  # several of a user
    for k in CUTOFFS:
        hits, reciprocal, listed = [], [], Counter[int]()
        for user, stop, place in zip(windows.user.tolist(), windows.stop.tolist(), rank.tolist(), strict=True):
            whole = sequences.items[int(sequences.offsets[user]) : stop].tolist()
            scores = table[whole[-6:][0]].tolist()
            allowed = [i for i in range(1, num_items + 1) if not (remove_seen and i in whole)]
            listed.update(sorted(allowed, key=lambda item: (-scores[item - 1], item))[:k])
            hits.append(place <= k)
            reciprocal.append(1 / place if place <= k else 0)
        places = sorted(listed[item] for item in range(1, num_items + 1))
        total = sum(places)
        apart = sum(abs(a - b) for a in places for b in places) / (2 * num_items * total)
        bits = sum(-math.log2((trained[i] + 1) / smoothed) * n for i, n in listed.items()) / total
        bias = (
            sum(trained[i] * n for i, n in listed.items()) / total / (sum(trained[i] for i in targets) / len(targets))
        )
        expected = {
            "precision": sum(hits) / len(hits) / k,
            "map": sum(reciprocal) / len(hits),
            "mrr": sum(reciprocal) / len(hits),
            "coverage": sum(n > 0 for n in places) / num_items,
            "gini": apart,
            "novelty": bits,
            "popularity_bias": bias,
        }
        for name, value in expected.items():
            assert found[f"{name}@{k}"] == pytest.approx(value, abs=1e-9), (name, k)
    assert len(found) == len(MEASURES) * len(CUTOFFS) and not found.keys() & metrics.keys()
    asked = Protocol("test", remove_seen, CUTOFFS, ["gini", "map"])
    assert list(further_measures(data, asked, row, rank, lists)) == [
        f"{m}@{k}" for m in ("map", "gini") for k in CUTOFFS
    ]


def test_nothing_more_is_measured_unless_it_is_asked_for(tmp_path: Path) -> None:
    data, protocol = synthetic(tmp_path, UnseenUsers()), Protocol("test", False)
    assert not protocol.looks_at_lists and not Protocol("test", False, measures=["map"]).looks_at_lists
    found = reference_results(data, protocol)
    assert list(found) == ["popularity", "markov", "optimum"]
    assert list(found["markov"].metrics) == protocol.metrics


def test_references_are_those_of_the_protocol(tmp_path: Path) -> None:
    protocol = Protocol("test", True, [5], ["coverage"], ["random", "recent_popular", "popularity"])
    found = reference_results(synthetic(tmp_path, UnseenUsers(0.2, 0.5, "all")), protocol)
    assert list(found) == ["random", "recent_popular", "popularity"]  # several targets a user: no optimum
    assert found["random"].metrics["coverage@5"] == 1 > found["popularity"].metrics["coverage@5"]
    assert found["random"].metrics["recall@5"] == pytest.approx(5 / 50, abs=0.06)
    again = reference_results(synthetic(tmp_path, UnseenUsers(0.2, 0.5, "all")), protocol)
    assert again["random"].metrics == found["random"].metrics


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"measures": ["maps"]}, "protocol.measures has 'maps'; choose of precision, map, mrr, coverage"),
        (
            {"references": ["popular"]},
            "protocol.references has 'popular'; choose of popularity, markov, recent_popular",
        ),
    ],
)
def test_unknown_names_are_refused(asked: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Protocol("test", False, **asked)  # type: ignore[arg-type]


def test_ends_of_gini() -> None:
    assert gini(torch.full((40,), 3)) == pytest.approx(0)
    assert gini(torch.tensor([0] * 39 + [7])) == pytest.approx(1 - 1 / 40)


def order(sequences: Sequences) -> list[int]:
    """Items by recent popularity, the best first."""
    model = RecentPopular(sequences.num_items)
    model.count(sequences)
    return (1 + model.order.argsort(descending=True)).tolist()


def test_recent_popularity_counts_the_newest_tenth() -> None:
    old, new = [1] * 30, [2] * 4
    assert order(make_sequences([[*old, *new, 3, 3], [1, 1, 4, 3, 3]], 4))[:2] == [
        2,
        4,
    ]  # 4 of the first, 1 of the other
    log = make_sequences([[*old, 3], [2, 2, 2, 2]], 4)
    times = torch.tensor([*range(40, 70), 99, 1, 2, 3, 4])
    cut = TimeCut(85, 90).divide(replace(log, split_key=times.where(times != 69, 85)))
    assert order(cut.sequences)[0] == 1  # by time item 2 is old, though it is new to its user


def test_random_scores_differ_by_history_and_not_by_run() -> None:
    one, two = RandomScores(30), RandomScores(30)
    items = torch.ones(2, 3, dtype=torch.int64)
    first = one.score(Histories(items))
    assert torch.equal(first, two.score(Histories(items))) and not torch.equal(first[0], first[1])

"""Lists from an index: the exact scores, k items while k remain, and a recall that is measured."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from seqrec.serving.frames import FrameModel
from seqrec.serving.index import engine as engines
from seqrec.serving.index.engine import IndexedEngine
from seqrec.serving.index.model import IndexedModel
from seqrec.serving.recommend import NOTHING
from tests.serving.dot import Dot

ITEMS, DIM = 3000, 16


class Biased(Dot):
    """Scores are products and a bias."""

    def __init__(self, table: np.ndarray, bias: np.ndarray) -> None:
        super().__init__(table)
        self.bias = np.pad(bias.astype(np.float32), 1)

    def scores(self, vectors: np.ndarray, items: np.ndarray) -> np.ndarray:
        return super().scores(vectors, items) + self.bias[items]


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    """Clusters of vectors of unequal norms."""
    draws = np.random.default_rng(0)
    centres = draws.normal(size=(30, DIM))
    found: np.ndarray = centres[draws.integers(30, size=ITEMS)] + 0.4 * draws.normal(size=(ITEMS, DIM))
    return found * draws.uniform(0.5, 1.5, size=(ITEMS, 1))


def model(engine: Any, remove_seen: bool = False) -> FrameModel:
    return FrameModel(engine, list(range(ITEMS)), np.arange(ITEMS), remove_seen, "dot")


@pytest.fixture(params=["int8", "ivf"])
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


HISTORIES = [[n] for n in range(0, ITEMS, 60)]


def test_most_of_the_exact_lists_is_found_and_scores_are_exact(table: np.ndarray, kind: str) -> None:
    engine = Biased(table, np.random.default_rng(1).normal(size=ITEMS))
    exact, indexed = model(engine), IndexedModel(model(engine), kind)
    recall = indexed.index_recall(HISTORIES)
    assert set(recall) == {"recall@10", "recall@100"}
    assert recall["recall@10"] > (0.99 if kind == "int8" else 0.8)
    one, other = (found.recommend(HISTORIES, k=10) for found in (exact, indexed))
    shared = [dict(zip(*pair, strict=True)) for pair in zip(one.numbers.tolist(), one.scores.tolist(), strict=True)]
    agreement = []
    for scores, numbers, values in zip(shared, other.numbers.tolist(), other.scores.tolist(), strict=True):
        agreement.append(np.mean([number in scores for number in numbers]))
        assert values == sorted(values, reverse=True)
        assert all(
            scores.get(number, value) == pytest.approx(value, rel=1e-4)
            for number, value in zip(numbers, values, strict=True)
        )
    assert np.mean(agreement) == pytest.approx(recall["recall@10"])


def test_lists_are_full_while_items_remain(table: np.ndarray, kind: str) -> None:
    indexed = IndexedModel(model(Dot(table)), kind)
    near = model(Dot(table)).recommend([[7]], k=200).items[0]
    found = indexed.recommend([[7]], k=10, block=near).items[0]
    assert len(found) == 10 and not set(found) & set(near)
    allowed = [5, 700, 1400, 2100]
    assert sorted(indexed.recommend([[7]], k=10, allow=allowed).items[0]) == allowed, "fewer only where fewer remain"
    exact = model(Dot(table)).recommend([[7]], k=3, allow=allowed).items
    assert indexed.recommend([[7]], k=3, allow=allowed).items == exact
    seen = indexed.recommend([near[:50]], k=10, seen="remove").items[0]
    assert len(seen) == 10 and not set(seen) & set(near[:50])


def test_an_index_that_finds_too_few_is_helped_out(table: np.ndarray) -> None:
    class Nothing:
        def nearest(self, queries: np.ndarray, count: int) -> np.ndarray:
            return np.full((len(queries), count), -1)

    engine = IndexedEngine(Dot(table), "int8")
    engine.search = Nothing()
    penalty = np.zeros((1, ITEMS + 2), np.float32)
    penalty[0, [0, -1]] = -np.inf
    vectors = engine.vectors(np.array([[3], [9]]), None)
    for removed in (NOTHING, (np.array([1, 0, 1]), np.array([5, 7, 5]))):
        exact, found = (each.top(vectors, penalty, removed, 10) for each in (Dot(table), engine))
        assert all(np.array_equal(*pair) for pair in zip(exact, found, strict=True))


def test_equal_scores_come_by_the_lower_number(kind: str) -> None:
    indexed = IndexedModel(model(Dot(np.ones((ITEMS, DIM)))), "int8")
    row = indexed.recommend([[4]], k=5).numbers[0].tolist()
    assert row == sorted(row)


def test_what_there_is_no_index_for(table: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="index is 'hnsw'; choose exact, int8 or ivf"):
        IndexedEngine(Dot(table), "hnsw")
    with pytest.raises(ValueError, match="none of the histories has an item"):
        IndexedModel(model(Dot(table)), "int8").index_recall([["unknown"]])
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ValueError, match=r"index=ivf needs faiss; run: pip install 'seqrec\[index\]'"):
        IndexedEngine(Dot(table), "ivf")


def test_small_catalogues_are_scored_whole(table: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = IndexedEngine(Dot(table[:100]), "int8")
    monkeypatch.setattr(engine, "search", None)
    penalty = np.zeros((1, 102), np.float32)
    penalty[0, [0, -1]] = -np.inf
    assert engine.top(engine.vectors(np.array([[3]]), None), penalty, NOTHING, 10)[0].shape == (1, 10)
    assert engines.WORTHWHILE * 100 < engines.SLACK * 10

"""An engine without torch, small enough to see through."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqrec.serving.engine import Pairs
from seqrec.serving.frames import FrameModel
from seqrec.serving.order import best

ITEMS = ["a", "b", "c", "d", "e", "f"]
COUNTS = np.array([5, 9, 5, 1, 0, 9])


class Dot:
    """The newest item's own vector asks; scores are products. Notes the shapes of what it is given."""

    fingerprint = "dot"

    def __init__(self, table: np.ndarray, max_length: int = 3) -> None:
        self.table = np.pad(table.astype(np.float32), ((1, 1), (0, 0)))
        self.max_length = max_length
        self.asked: list[tuple[int, ...]] = []

    def vectors(self, items: np.ndarray, users: np.ndarray | None) -> np.ndarray:
        self.asked.append(items.shape)
        newest = items[np.arange(len(items)), np.maximum((items > 0).sum(1) - 1, 0)]
        found: np.ndarray = self.table[newest if users is None else users + 1]
        return found

    def top(self, vectors: np.ndarray, penalty: np.ndarray, removed: Pairs, k: int) -> tuple[np.ndarray, np.ndarray]:
        all_scores = self.scores(vectors, np.arange(len(self.table))) + penalty
        all_scores[removed] = -np.inf
        scores, items = best(all_scores, k)
        return items, scores

    def scores(self, vectors: np.ndarray, items: np.ndarray) -> np.ndarray:
        found: np.ndarray = vectors @ self.table[items].T
        return found

    def item_vectors(self) -> np.ndarray:
        return self.table[1:-1]


def dot(table: np.ndarray | None = None, remove_seen: bool = False, **options: Any) -> FrameModel:
    """A model of six items, or of fewer; without a table each item asks for the one before it in the alphabet."""
    circle = np.roll(np.eye(len(ITEMS)), 1, axis=0) if table is None else table
    return FrameModel(Dot(circle), ITEMS[: len(circle)], COUNTS[: len(circle)], remove_seen, "dot", **options)

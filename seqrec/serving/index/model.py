"""IndexedModel: a loaded model over an index, which says how much of the exact lists it finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqrec.serving.frames import FrameModel
from seqrec.serving.index.engine import IndexedEngine
from seqrec.serving.recommend import NOTHING

PART = 64  # histories whose exact scores are made at a time


class IndexedModel(FrameModel):
    """A :class:`~seqrec.serving.frames.FrameModel` whose lists come from an index.

    Args:
        model: with exact lists.
        kind: of the index, see :class:`~seqrec.serving.index.engine.IndexedEngine`.
    """

    def __init__(self, model: FrameModel, kind: str) -> None:
        self.__dict__.update(model.__dict__)
        self.indexed = IndexedEngine(model.engine, kind)
        self.engine = self.indexed

    def index_recall(
        self, histories: Any, at: Sequence[int] = (10, 100), users: Sequence[Any] | None = None
    ) -> dict[str, float]:
        """Share of the exact best items that the index finds, as ``recall@k``: means over histories, nothing removed.

        Args:
            histories: lists of raw ids, such as a thousand of those to be served; empty ones do not count.
            at: the lengths k of the lists.
            users: raw ids, for a model that knows users.

        Raises:
            ValueError: no history has a known item.
        """
        asked = self.asked(histories, users=users)
        rows = np.flatnonzero(~self._empties(asked, "popular"))
        if not len(rows):
            raise ValueError("index_recall: none of the histories has an item that the model knows")
        penalty = np.zeros((1, len(self.popularity)), np.float32)
        penalty[0, [0, -1]] = -np.inf
        found: dict[str, list[float]] = {f"recall@{k}": [] for k in at}
        for part in np.array_split(rows, range(PART, len(rows), PART)):
            vectors = self._vectors(asked, part)
            for k in at:
                most = self._most(k)
                exact, ours = (e.top(vectors, penalty, NOTHING, most)[0] for e in (self.indexed.engine, self.indexed))
                found[f"recall@{k}"] += [len(np.intersect1d(*two)) / most for two in zip(exact, ours, strict=True)]
        return {name: float(np.mean(shares)) for name, shares in found.items()}

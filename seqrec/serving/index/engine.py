"""IndexedEngine: any engine with vectors, whose lists come from an index where that can fill them."""

from __future__ import annotations

import numpy as np

from seqrec.serving.engine import Engine, Pairs
from seqrec.serving.index.search import Cells, Int8, Search

KINDS = {"int8": Int8, "ivf": Cells}
SLACK = 4  # candidates for each place of a list: scores in 8 bits, and cells, put some items a little too low
WORTHWHILE = 0.25  # share of the catalogue as candidates, above which all scores are as quick


class IndexedEngine:
    """An engine that finds the best items with an index and scores them exactly.

    Items that may not come (a penalty of minus infinity) cost places among the candidates, so as many more are asked
    for. Where they are too many, as with a short list of allowed items, or where the index finds too few others, the
    engine itself answers. So a list has k items while k remain.

    Args:
        engine: scores.
        kind: ``int8`` or ``ivf``, see :mod:`seqrec.serving.index.search`.

    Raises:
        ValueError: another kind, faiss is missing, or the model scores without vectors.
    """

    def __init__(self, engine: Engine, kind: str) -> None:
        if kind not in KINDS:
            raise ValueError(f"index is {kind!r}; choose exact, {' or '.join(KINDS)}")
        vectors = engine.item_vectors()
        none, all_items = np.zeros((1, vectors.shape[1]), np.float32), np.arange(1, len(vectors) + 1)
        bias = engine.scores(none, all_items)[0][:, None]
        self.engine, self.max_length = engine, engine.max_length
        self.has_bias = bool(bias.any())  # it is one more column, whose factor is 1 in every query
        self.vectors_of_items = np.concatenate([vectors, bias], axis=1) if self.has_bias else vectors
        self.search: Search = KINDS[kind](np.ascontiguousarray(self.vectors_of_items))

    @property
    def fingerprint(self) -> str:
        """That of the engine: an index changes nothing of what a state means."""
        return self.engine.fingerprint

    def vectors(self, items: np.ndarray, users: np.ndarray | None) -> np.ndarray:
        """See :class:`~seqrec.serving.engine.Engine`."""
        return self.engine.vectors(items, users)

    def scores(self, vectors: np.ndarray, items: np.ndarray) -> np.ndarray:
        """See :class:`~seqrec.serving.engine.Engine`."""
        return self.engine.scores(vectors, items)

    def item_vectors(self) -> np.ndarray:
        """See :class:`~seqrec.serving.engine.Engine`."""
        return self.engine.item_vectors()

    def top(self, vectors: np.ndarray, penalty: np.ndarray, removed: Pairs, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See :class:`~seqrec.serving.engine.Engine`; which items come may differ from the engine's, scores may not."""
        barred = int(np.count_nonzero(penalty.view(np.int32))) - 2  # padding, mask
        count = SLACK * k + barred + int(np.bincount(removed[0], minlength=1).max())
        if not len(vectors) or count > WORTHWHILE * len(self.vectors_of_items):
            return self.engine.top(vectors, penalty, removed, k)
        queries = np.pad(vectors, ((0, 0), (0, 1)), constant_values=1) if self.has_bias else vectors
        columns = self.search.nearest(queries.astype(np.float32), count)
        scores = np.einsum("bd,bmd->bm", queries, self.vectors_of_items[columns]) + penalty[0, columns + 1]
        scores[columns < 0] = -np.inf
        width = penalty.shape[1]
        cells = np.arange(len(vectors))[:, None] * width + columns + 1
        scores[np.isin(cells, removed[0] * width + removed[1])] = -np.inf
        order = np.lexsort((columns, -scores))[:, :k]
        items, values = np.take_along_axis(columns, order, 1) + 1, np.take_along_axis(scores, order, 1)
        short = np.flatnonzero(~(values[:, -1] > -np.inf))  # also where a score is NaN, which the engine refuses
        if len(short):
            among = np.isin(removed[0], short)
            others = np.searchsorted(short, removed[0][among]), removed[1][among]
            items[short], values[short] = self.engine.top(vectors[short], penalty, others, k)
        return items, values.astype(np.float32)

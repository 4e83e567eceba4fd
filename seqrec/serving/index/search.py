"""Search: which items an index holds for the best of a query; their scores are computed elsewhere."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

import numpy as np

CHUNK_ROWS = 8_192  # vectors that are scored at a time: they and their scores stay in the cache
CELL_VECTORS = 39  # that faiss wants at least to place the centre of a cell


class Search(Protocol):
    """An index of vectors ``(I, D)``."""

    def nearest(self, queries: np.ndarray, count: int) -> np.ndarray:
        """Rows ``(B, count)`` of the vectors whose products with queries ``(B, D)`` are about the largest.

        In no order; -1 where the index found fewer.
        """


class Int8:
    """All vectors in 8 bits, each with a scale: a quarter of what has to be read.

    Args:
        vectors: ``(I, D)`` float32.
    """

    def __init__(self, vectors: np.ndarray) -> None:
        self.scale = np.maximum(np.abs(vectors).max(1, initial=0), 1e-12).astype(np.float32) / 127
        self.codes = np.round(vectors / self.scale[:, None]).astype(np.int8)

    def nearest(self, queries: np.ndarray, count: int) -> np.ndarray:
        """See :class:`Search`; of each chunk of vectors only what beats the worst of the best so far is looked at."""
        rows = np.full((len(queries), count), -1)
        values = np.full((len(queries), count), -np.inf, np.float32)
        for start in range(0, len(self.codes), CHUNK_ROWS):
            part = slice(start, start + CHUNK_ROWS)
            scores = queries @ self.codes[part].T.astype(np.float32)
            scores *= self.scale[part]
            better = np.flatnonzero((scores > values.min(1, keepdims=True)).any(0))
            if not len(better):
                continue
            both = np.concatenate([values, scores[:, better]], 1)
            places = np.concatenate([rows, np.broadcast_to(start + better, (len(queries), len(better)))], 1)
            kept = np.argpartition(both, -count, axis=1)[:, -count:]
            values, rows = np.take_along_axis(both, kept, 1), np.take_along_axis(places, kept, 1)
        return rows


class Cells:
    """faiss's inverted lists of 8-bit vectors: those in the cells nearest to a query are scored, the others are not.

    Args:
        vectors: ``(I, D)`` float32.
        probes: cells that are looked into.

    Raises:
        ValueError: faiss is not installed.
    """

    def __init__(self, vectors: np.ndarray, probes: int = 16) -> None:
        try:
            faiss = import_module("faiss")  # an extra, which only this kind of index needs
        except ModuleNotFoundError:
            raise ValueError("index=ivf needs faiss; run: pip install 'seqrec[index]'") from None
        items, dim = vectors.shape
        cells = max(1, min(int(items**0.5), items // CELL_VECTORS))
        self.index = faiss.index_factory(dim, f"IVF{cells},SQ8", faiss.METRIC_INNER_PRODUCT)
        self.index.train(vectors)
        self.index.add(vectors)
        self.index.nprobe = min(probes, cells)

    def nearest(self, queries: np.ndarray, count: int) -> np.ndarray:
        """See :class:`Search`."""
        rows: np.ndarray = self.index.search(np.ascontiguousarray(queries), count)[1]
        return rows

"""Search: which items an index holds for the best of a query; their scores are computed elsewhere."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

import numpy as np

CHUNK_ROWS = 65_536  # vectors that are scored at a time: they and their scores stay in the cache
CELL_VECTORS = 39  # that faiss wants at least to place the centre of a cell


class Search(Protocol):
    """An index of vectors ``(I, D)``."""

    def nearest(self, queries: np.ndarray, count: int) -> np.ndarray:
        """Rows ``(B, count)`` of the vectors whose products with queries ``(B, D)`` are about the largest.

        In no order; -1 where the index found fewer.
        """


class Int8:
    """All vectors in 8 bits, each with a scale: a quarter of the memory, read from the first to the last.

    Args:
        vectors: ``(I, D)`` float32.
    """

    def __init__(self, vectors: np.ndarray) -> None:
        self.scale = np.maximum(np.abs(vectors).max(1, initial=0), 1e-12)[:, None] / 127
        self.codes = np.round(vectors / self.scale).astype(np.int8)

    def nearest(self, queries: np.ndarray, count: int) -> np.ndarray:
        """See :class:`Search`; the best so far are kept while chunks of vectors pass."""
        rows = np.zeros((len(queries), 0), np.int64)
        values = np.zeros((len(queries), 0), np.float32)
        for start in range(0, len(self.codes), CHUNK_ROWS):
            part = slice(start, start + CHUNK_ROWS)
            scores = queries @ (self.codes[part].astype(np.float32) * self.scale[part]).T
            here = np.broadcast_to(np.arange(start, start + scores.shape[1]), scores.shape)
            values, rows = np.concatenate([values, scores], 1), np.concatenate([rows, here], 1)
            if values.shape[1] > count:
                kept = np.argpartition(values, -count, axis=1)[:, -count:]
                values, rows = np.take_along_axis(values, kept, 1), np.take_along_axis(rows, kept, 1)
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
        cells = max(1, min(int(4 * items**0.5), items // CELL_VECTORS))
        self.index = faiss.index_factory(dim, f"IVF{cells},SQ8", faiss.METRIC_INNER_PRODUCT)
        self.index.train(vectors)
        self.index.add(vectors)
        self.index.nprobe = min(probes, cells)

    def nearest(self, queries: np.ndarray, count: int) -> np.ndarray:
        """See :class:`Search`."""
        rows: np.ndarray = self.index.search(np.ascontiguousarray(queries), count)[1]
        return rows

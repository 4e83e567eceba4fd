"""Engine: what has to be written to serve a model of another kind, such as one that runs without torch."""

from __future__ import annotations

from typing import Protocol

import numpy as np

Pairs = tuple[np.ndarray, np.ndarray]
"""Places ``(N,)`` and items ``(N,)``, both int64."""


class Engine(Protocol):
    """What scores: a trained model behind plain arrays. Items are numbered 1..I, users 0..U-1.

    B histories, L items in the longest of them, D width of a vector.
    """

    @property
    def max_length(self) -> int:
        """Newest items of a history that the model sees; it is given no longer ones."""

    @property
    def fingerprint(self) -> str:
        """A text that changes with the weights and with the numbers of the items."""

    def vectors(self, items: np.ndarray, users: np.ndarray | None) -> np.ndarray:
        """What asks for the next item, ``(B, D)`` float32.

        A model that scores without vectors returns any array with one row a history that its own :meth:`top` takes.

        Args:
            items: histories ``(B, L)`` int64, oldest first, 0 behind the newest; none is empty unless there are users.
            users: ``(B,)`` int64, for a model that knows users; None for the others.
        """

    def top(self, vectors: np.ndarray, penalty: np.ndarray, removed: Pairs, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items ``(B, k)`` and their scores ``(B, k)``: higher scores first, equal ones by the lower item number.

        Args:
            vectors: of :meth:`vectors`.
            penalty: ``(1, I + 2)`` float32, added to the scores: 0, or minus infinity where an item may not come.
                Column i is item i; the first (padding) and the last (mask) are minus infinity. It is not to be changed.
            removed: what else may not come, each to one history: its place 0..B-1 and the item, in any order and also
                more than once.
            k: 1..I. Where fewer items remain, the others have a score of minus infinity.
        """

    def scores(self, vectors: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Scores ``(B, M)`` of items ``(M,)`` int64, equal to those of :meth:`top`."""

    def item_vectors(self) -> np.ndarray:
        """Vectors ``(I, D)`` float32 by which the items are scored; row i is item i + 1.

        Raises:
            ValueError: the model scores without vectors.
        """

"""The order of a list in numpy: the higher score, then the lower number. A bundle carries a copy of this file."""

from __future__ import annotations

import numpy as np


def best(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k best of each row ``(B, N)``: scores and columns ``(B, k)``, equal scores by the lower column."""
    refuse_nan(scores)
    last = np.partition(scores, -k, axis=1)[:, -k, None]
    chosen, level = scores > last, scores == last
    chosen |= level & (level.cumsum(1) <= k - chosen.sum(1, keepdims=True))
    columns = np.nonzero(chosen)[1].reshape(len(scores), k)
    values = np.take_along_axis(scores, columns, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(columns, order, axis=1)


def refuse_nan(scores: np.ndarray) -> None:
    """Raise ValueError where a score is NaN."""
    if np.isnan(scores).any():
        raise ValueError("the model scored an item with NaN, so no order can be given; its training has diverged")

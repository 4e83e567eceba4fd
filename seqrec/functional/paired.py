"""The mean difference of paired observations and its standard error: where every "±" between two models comes from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Paired(NamedTuple):
    """What pairs say about a difference.

    Attributes:
        mean: of the first less the second.
        error: standard error of that mean; NaN of a single pair.
    """

    mean: float
    error: float

    def text(self) -> str:
        """Such as ``+0.0044 ± 0.0004``."""
        return f"{self.mean:+.4f} ± {self.error:.4f}"


def paired(first: NDArray[np.float64], second: NDArray[np.float64]) -> Paired:
    """Compare ``(U,)`` values with ``(U,)`` others of the same users."""
    difference = first - second
    count = len(difference)
    error = float(difference.std(ddof=1)) / count**0.5 if count > 1 else float("nan")
    return Paired(float(difference.mean()), error)

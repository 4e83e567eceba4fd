"""A mean over users and where it lies: every "±" over users, of one model or between two, comes from here."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Values = NDArray[np.float64]

LEVEL = 0.95
"""Of all intervals but those of a comparison, which has a level of its own."""


class Interval(NamedTuple):
    """A mean and its confidence interval, which is the same on both sides.

    Attributes:
        mean: over users.
        low, high: ends of the interval.
    """

    mean: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """What stands behind "±"."""
        return (self.high - self.low) / 2

    def text(self, sign: str = "") -> str:
        """Such as ``0.0697 ± 0.0012``.

        Args:
            sign: ``+`` for a difference.
        """
        return f"{self.mean:{sign}.4f} ± {self.half:.4f}"


class UserMean(NamedTuple):
    """What users say about a mean.

    Attributes:
        mean: of all values.
        error: its standard error over users; NaN of a single user.
        users: how many.
    """

    mean: float
    error: float
    users: int

    def interval(self, level: float = LEVEL) -> Interval | None:
        """By the t distribution; None of a single user, and where all have the same value, which shows no spread.

        Args:
            level: such as 0.95.
        """
        if not self.error > 0:
            return None
        half = float(stdtrit(self.users - 1, (1 + level) / 2)) * self.error
        return Interval(self.mean, self.mean - half, self.mean + half)


def user_mean(values: Values, user: NDArray[np.generic] | None = None) -> UserMean:
    """The mean of values ``(N,)`` and its standard error over users, who are independent where values of one are not.

    Args:
        values: one a user, or several where ``user`` says whose they are.
        user: ``(N,)`` anything that tells users apart. The error is that of a mean over clusters, with their number
            less one (Liang and Zeger 1986); of equally many values each it is the error of the means of users.
    """
    mean = float(values.mean())
    count, rest = len(values), values - mean
    if user is not None:
        names, place = np.unique(user, return_inverse=True)
        count, rest = len(names), np.bincount(place, weights=rest).astype(np.float64)
    if count < 2:
        return UserMean(mean, math.nan, count)
    return UserMean(mean, float((rest**2).sum() * count / (count - 1)) ** 0.5 / len(values), count)


def paired(first: Values, second: Values) -> UserMean:
    """The mean of ``(U,)`` values less ``(U,)`` others of the same users."""
    return user_mean(first - second)


def share(mean: float, users: int) -> UserMean:
    """The same of values that are 0 or 1, of which the mean tells their spread.

    Args:
        mean: the share of users that have 1.
        users: how many there are, one value each.
    """
    return UserMean(mean, (mean * (1 - mean) / (users - 1)) ** 0.5 if users > 1 else math.nan, users)

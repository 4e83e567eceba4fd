"""Whether two methods differ by more than chance: over users, and over the seeds of their trainings.

A method is an array ``(S, U)``: a metric of U users, the same ones for all methods, after each of S trainings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from seqrec.functional.intervals import Values, paired

WEIGHTS_AT_A_TIME = 1 << 22  # of the bootstrap: 32 MiB


@dataclass(frozen=True)
class Estimate:
    """The difference of two methods in one metric.

    Attributes:
        first, second: means of the methods over seeds and users.
        users: how many.
        mean: of the first less the second.
        error: standard error over users, of these trained models.
        total_error, freedom: standard error over users and seeds, and the degrees of freedom of its t distribution;
            None where a method has one seed, so that nothing tells how far another training would lie.
    """

    first: float
    second: float
    users: int
    mean: float
    error: float
    total_error: float | None
    freedom: float | None

    def interval(self, level: float, seeds: bool = True) -> tuple[float, float]:
        """Where the difference lies, by the t distribution.

        Args:
            level: such as 0.95.
            seeds: for other trainings too, where their spread is known; else for these models alone.
        """
        error, freedom = self._of(seeds)
        half = float(stats.t.ppf((1 + level) / 2, freedom)) * error
        return self.mean - half, self.mean + half

    def p_value(self, seeds: bool = True) -> float:
        """Two-sided, of no difference; ``seeds`` as in :meth:`interval`."""
        error, freedom = self._of(seeds)
        if not error > 0:  # all users have the same difference
            return 0.0 if self.mean else 1.0
        return float(2 * stats.t.sf(abs(self.mean) / error, freedom))

    def _of(self, seeds: bool) -> tuple[float, float]:
        if seeds and self.total_error is not None and self.freedom is not None:
            return self.total_error, self.freedom
        return self.error, self.users - 1


def estimate(first: Values, second: Values) -> Estimate:
    """Compare methods ``(S, U)`` and ``(S', U)``: users are paired, seeds are not.

    The variance of the difference is that over users of their means over seeds, and for each method the variance of its
    means over users, divided by its seeds. The latter holds noise of single users too, which the former has counted; it
    is taken off. Degrees of freedom are Satterthwaite's. This is the quasi F test for methods whose seeds and users are
    both samples (Clark 1973).
    """
    mean_first, mean_second = first.mean(0), second.mean(0)
    mean, error, _ = paired(mean_first, mean_second)
    ends = float(mean_first.mean()), float(mean_second.mean())
    users = first.shape[1]
    if min(len(first), len(second), users) < 2:
        return Estimate(*ends, users, mean, error, None, None)
    parts = [error**2]
    squares = error**4 / (users - 1)
    for values in (first, second):
        of_seeds, of_noise = _components(values)
        parts.append(of_seeds - of_noise)
        squares += of_seeds**2 / (len(values) - 1)
    total = max(sum(parts), parts[0])  # seeds cannot make it more certain
    freedom = total**2 / squares if squares > 0 else users - 1.0
    return Estimate(*ends, users, mean, error, total**0.5, freedom)


def _components(values: Values) -> tuple[float, float]:
    """Variance of a method's mean ``(S, U)`` that its seeds show, and how much of it is noise of single users."""
    seeds, users = values.shape
    of_seed = values.mean(1)
    rest = values - of_seed[:, None] - values.mean(0) + of_seed.mean()
    noise = float((rest**2).sum()) / ((seeds - 1) * (users - 1))
    return float(of_seed.var(ddof=1)) / seeds, noise / (seeds * users)


@dataclass(frozen=True)
class OverUsers:
    """What users say about two methods, these trained models taken as they are.

    Attributes:
        t: p value of the paired t test.
        wilcoxon: p value of Wilcoxon's signed-rank test; users without a difference are left out.
        effect: mean difference in standard deviations of the differences (Cohen's d for pairs).
        better, worse: shares of users for whom the first is better, or worse, than the second.
    """

    t: float
    wilcoxon: float
    effect: float
    better: float
    worse: float


def over_users(first: Values, second: Values) -> OverUsers:
    """Compare values ``(U,)`` of users with ``(U,)`` others, means over seeds."""
    difference = first - second
    better, worse = float((difference > 0).mean()), float((difference < 0).mean())
    spread = float(difference.std(ddof=1))
    if not spread:
        return OverUsers(1.0 if not difference.any() else 0.0, _wilcoxon(difference), 0.0, better, worse)
    t = float(stats.ttest_rel(first, second).pvalue)
    return OverUsers(t, _wilcoxon(difference), float(difference.mean()) / spread, better, worse)


def _wilcoxon(difference: Values) -> float:
    return float(stats.wilcoxon(difference).pvalue) if difference.any() else 1.0


def bootstrap(values: Values, replicates: int, seed: int) -> Values:
    """Means of resampled users: ``(R, K)`` of values ``(U, K)``, the same users for all columns.

    Users are drawn with replacement; how often each was drawn is a row of weights, and the means are one product of
    matrices. Memory does not grow with R.

    Args:
        values: one row a user.
        replicates: R.
        seed: of the draws.
    """
    users, generator = len(values), np.random.default_rng(seed)
    at_a_time = max(1, WEIGHTS_AT_A_TIME // users)
    means, room = np.empty((replicates, values.shape[1])), np.empty((min(at_a_time, replicates), users))
    for start in range(0, replicates, at_a_time):
        weights = room[: replicates - start]
        for row in weights:
            row[:] = np.bincount(generator.integers(0, users, users), minlength=users)
        means[start : start + at_a_time] = weights @ values
    return means / users


def holm(p_values: Values) -> Values:
    """P values ``(N,)`` of tests that are made together, so that a false alarm among all of them keeps its rate."""
    order = np.argsort(p_values)
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted

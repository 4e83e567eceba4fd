"""Means over users, their standard errors and intervals are those of scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from seqrec.functional.intervals import paired, share, user_mean
from seqrec.reporting.significance import bootstrap


def test_a_difference_is_that_of_a_paired_t_test() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.random(50), generator.random(50)
    found = paired(first, second)
    assert found.mean == pytest.approx((first - second).mean())
    assert found.error == pytest.approx(float(stats.sem(first - second)))
    tested = stats.ttest_rel(first, second)
    assert found.mean / found.error == pytest.approx(float(tested.statistic))
    assert found.interval() == pytest.approx((found.mean, *tested.confidence_interval()))


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize("users", [2, 7, 300])
def test_an_interval_is_that_of_scipy(users: int, level: float) -> None:
    values = np.random.default_rng(users).random(users)
    found = user_mean(values).interval(level)
    expected = stats.t.interval(level, users - 1, loc=values.mean(), scale=stats.sem(values))
    assert found is not None and (found.low, found.high) == pytest.approx(expected)
    assert found.text() == f"{values.mean():.4f} ± {values.mean() - expected[0]:.4f}"
    assert found.text("+").startswith("+0.")


def test_hits_of_few_users_are_about_as_certain_as_the_bootstrap_says() -> None:
    for users, hits in ((200, 12), (2000, 90)):
        values = np.zeros(users)
        values[:hits] = 1
        drawn = bootstrap(values[:, None], 4000, 0)
        low, high = np.quantile(drawn, [0.025, 0.975])
        found = user_mean(values).interval()
        assert found is not None and found.half == pytest.approx((high - low) / 2, rel=0.1)


def test_a_share_tells_its_own_spread() -> None:
    values = np.repeat([1.0, 0.0], [3, 17])
    assert share(0.15, 20) == pytest.approx(user_mean(values))


def test_what_shows_no_spread_has_no_interval() -> None:
    assert user_mean(np.ones(5)).interval() is None and share(0.0, 5).interval() is None
    assert math.isnan(paired(np.ones(1), np.zeros(1)).error) and paired(np.ones(1), np.zeros(1)).interval() is None
    assert share(1.0, 1).interval() is None
    assert user_mean(np.arange(3.0), np.zeros(3)).interval() is None


def test_equally_many_values_a_user_are_their_means() -> None:
    values = np.random.default_rng(0).random((3, 40))  # such as three seeds
    user = np.array([f"u{number}" for number in range(40)])
    assert user_mean(values.ravel(), np.tile(user, 3)) == pytest.approx(user_mean(values.mean(0)))
    assert user_mean(values[0], user) == pytest.approx(user_mean(values[0]))


def test_targets_of_one_user_are_not_independent() -> None:
    """Users with 1 to 6 targets that are alike: intervals hold the truth as often as they say."""
    generator, inside, naive = np.random.default_rng(0), 0, 0
    for _ in range(400):
        count = generator.integers(1, 7, 150)
        user = np.repeat(np.arange(150), count)
        values = np.repeat(generator.normal(size=150), count) + generator.normal(size=len(user))
        found, without = user_mean(values, user).interval(), user_mean(values).interval()
        assert found is not None and without is not None
        inside += found.low <= 0 <= found.high
        naive += without.low <= 0 <= without.high
    assert 0.92 <= inside / 400 <= 0.98 and naive / 400 < 0.85

"""Intervals and tests are those of scipy, false alarms are as rare as they say, and real differences are found."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from seqrec.reporting import significance
from seqrec.reporting.significance import Estimate, bootstrap, estimate, holm, over_users

ALPHA = 0.05
Values = NDArray[np.float64]


def ndcg(generator: np.random.Generator, *shape: int, better: float = 0.0) -> Values:
    """NDCG@10 of users whose ranks have a long tail, as of models; ``better`` divides the ranks."""
    rank = np.ceil(np.exp(generator.normal(4, 2, shape)) / (1 + better))
    return np.where(rank <= 10, 1 / np.log2(rank + 1), 0.0)


def methods(
    generator: np.random.Generator, seeds: int, users: int, of_seeds: float, ahead: float = 0.0
) -> tuple[Values, Values]:
    """Two methods ``(S, U)`` of the same users, whose trainings differ by ``of_seeds``; the first is ahead."""
    of_user = generator.normal(0, 1, users)
    first, second = (
        of_user
        + generator.normal(0, 0.5, users)  # whom a method suits
        + generator.normal(0, of_seeds, (seeds, 1))
        + generator.normal(0, 1, (seeds, users))
        for _ in range(2)
    )
    return first + ahead, second


def test_users_are_tested_as_scipy_does() -> None:
    generator = np.random.default_rng(1)
    first, second = ndcg(generator, 3000, better=0.3), ndcg(generator, 3000)
    found, tests = estimate(first[None], second[None]), over_users(first, second)
    theirs = stats.ttest_rel(first, second)
    assert tests.t == pytest.approx(float(theirs.pvalue), rel=1e-12)
    assert found.p_value() == pytest.approx(float(theirs.pvalue), rel=1e-9)
    ends = theirs.confidence_interval(0.9)
    assert found.interval(0.9) == pytest.approx((float(ends.low), float(ends.high)))
    assert tests.wilcoxon == pytest.approx(float(stats.wilcoxon(first, second).pvalue), rel=1e-12)
    difference = first - second
    assert tests.effect == pytest.approx(difference.mean() / difference.std(ddof=1))
    assert (tests.better, tests.worse) == ((difference > 0).mean(), (difference < 0).mean())
    assert found.total_error is None


def test_the_bootstrap_is_that_of_scipy() -> None:
    generator = np.random.default_rng(2)
    first, second = ndcg(generator, 2000, better=0.3), ndcg(generator, 2000)
    means = bootstrap(np.stack([first, second], axis=1), 4000, seed=0)
    mine = np.quantile(means[:, 0] - means[:, 1], [0.025, 0.975])
    theirs = stats.bootstrap(
        (first - second,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(3), batch=500
    ).confidence_interval
    width = theirs.high - theirs.low
    assert np.abs(mine - [theirs.low, theirs.high]).max() < 0.05 * width
    assert means.mean(0) == pytest.approx([first.mean(), second.mean()], abs=0.1 * width)
    error = (means[:, 0] - means[:, 1]).std()
    assert error == pytest.approx(float(stats.sem(first - second)), rel=0.05)


def test_the_bootstrap_is_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random((50, 3))
    whole = bootstrap(values, 200, seed=1)
    monkeypatch.setattr(significance, "WEIGHTS_AT_A_TIME", 350)
    assert bootstrap(values, 200, seed=1) == pytest.approx(whole)
    assert not np.allclose(bootstrap(values, 200, seed=2), whole)


def rejected(p_values: Values, alpha: float) -> Values:
    """Holm's steps as he wrote them: continue from the smallest while it is at most alpha over those that are left."""
    out = np.zeros(len(p_values), bool)
    for step, place in enumerate(np.argsort(p_values)):
        if p_values[place] > alpha / (len(p_values) - step):
            break
        out[place] = True
    return out


def test_holm_rejects_what_his_steps_reject() -> None:
    generator = np.random.default_rng(0)
    for count in (1, 2, 7):
        for _ in range(20):
            p_values = generator.random(count) ** 3
            adjusted = holm(p_values)
            for alpha in (0.01, 0.05, 0.3, 0.9):
                assert ((adjusted <= alpha) == rejected(p_values, alpha)).all()
    assert holm(np.array([0.01, 0.04, 0.03])).tolist() == pytest.approx([0.03, 0.06, 0.06])


def test_without_noise_of_users_seeds_are_compared_as_welch_does() -> None:
    """Two methods whose users all have the mean of their seed are two samples of seeds."""
    generator = np.random.default_rng(0)
    first, second = generator.random((4, 1)) + 0.3, generator.random((6, 1))
    found = estimate(first.repeat(20, axis=1), second.repeat(20, axis=1))
    theirs = stats.ttest_ind(first[:, 0], second[:, 0], equal_var=False)
    assert found.p_value() == pytest.approx(float(theirs.pvalue))
    ends = theirs.confidence_interval(0.95)
    assert found.interval(0.95) == pytest.approx((float(ends.low), float(ends.high)))


@pytest.mark.parametrize("seeds", [(1, 3), (3, 1), (1, 1)])
def test_one_seed_says_nothing_about_others(seeds: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    found = estimate(generator.random((seeds[0], 30)), generator.random((seeds[1], 30)))
    assert found.total_error is None and found.interval(0.95) == found.interval(0.95, seeds=False)


def test_methods_that_are_the_same_do_not_differ() -> None:
    same = np.random.default_rng(0).random((2, 30))
    found, tests = estimate(same, same), over_users(same[0], same[0])
    assert found.mean == 0 and found.p_value(seeds=False) == 1
    assert (tests.t, tests.wilcoxon, tests.effect, tests.better, tests.worse) == (1, 1, 0, 0, 0)


def rate(alarms: list[bool]) -> float:
    return float(np.mean(alarms))


def test_false_alarms_on_shuffled_runs_have_the_right_rate() -> None:
    """Of two runs whose users are swapped at random, neither is better."""
    generator = np.random.default_rng(5)
    pair = np.stack([ndcg(generator, 400, better=1.0), ndcg(generator, 400)])
    found, intervals = [], []
    for round_ in range(500):
        swapped = generator.random(400) < 0.5
        first, second = np.where(swapped, pair, pair[::-1])
        tests = over_users(first, second)
        found.append([estimate(first[None], second[None]).p_value(), tests.t, tests.wilcoxon])
        if round_ < 200:
            means = bootstrap(np.stack([first, second], axis=1), 300, round_)
            low, high = np.quantile(means[:, 0] - means[:, 1], [0.025, 0.975])
            intervals.append(bool(low > 0 or high < 0))
    for alarms in (np.array(found) <= ALPHA).T:
        assert 0.03 <= rate(list(alarms)) <= 0.07  # two standard errors of 500 rounds
    assert 0.02 <= rate(intervals) <= 0.09


def test_holm_keeps_the_rate_of_a_false_alarm_among_many_comparisons() -> None:
    generator = np.random.default_rng(6)
    raw, adjusted = [], []
    for _ in range(400):
        several = ndcg(generator, 5, 300)
        p_values = np.array(
            [estimate(several[i, None], several[j, None]).p_value() for i in range(5) for j in range(i)]
        )
        raw.append(bool((p_values <= ALPHA).any()))
        adjusted.append(bool((holm(p_values) <= ALPHA).any()))
    assert rate(raw) > 0.15 and rate(adjusted) <= 0.07


@pytest.mark.parametrize("better", [0.15, 0.3])
def test_a_planted_difference_is_found_with_the_power_that_it_should_have(better: float) -> None:
    """The share of rounds in which it is found is what the normal distribution says of its size."""
    generator = np.random.default_rng(7)
    draws = [(ndcg(generator, 2000, better=better), ndcg(generator, 2000)) for _ in range(300)]
    estimates = [estimate(first[None], second[None]) for first, second in draws]
    size = np.mean([one.mean for one in estimates]) / np.mean([one.error for one in estimates])
    power = float(stats.norm.sf(1.96 - size) + stats.norm.cdf(-1.96 - size))
    assert 0.2 < power < 0.95
    assert rate([one.p_value() <= ALPHA for one in estimates]) == pytest.approx(power, abs=0.07)


def rounds(count: int, seeds: int, of_seeds: float, ahead: float = 0.0) -> list[Estimate]:
    generator = np.random.default_rng(8)
    return [estimate(*methods(generator, seeds, 200, of_seeds, ahead)) for _ in range(count)]


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("of_seeds", [0.0, 0.05, 0.3])
def test_trainings_that_differ_by_chance_are_no_false_alarm(seeds: int, of_seeds: float) -> None:
    """Users alone take the luck of a training for a better method; seeds as a second level do not."""
    found = rounds(500, seeds, of_seeds)
    assert rate([one.p_value() <= ALPHA for one in found]) <= 0.07
    alone = rate([one.p_value(seeds=False) <= ALPHA for one in found])
    assert alone > 0.3 if of_seeds == 0.3 else alone < 0.25


def test_resampling_seeds_as_well_would_be_too_sure() -> None:
    """Why seeds are no level of the bootstrap: of two seeds it draws one twice in half of the cases."""
    generator = np.random.default_rng(9)
    alarms = []
    for _ in range(200):
        pair = methods(generator, 2, 200, of_seeds=0.5)
        weights = generator.multinomial(200, np.full(200, 1 / 200), 200) / 200
        draws = [np.take_along_axis(weights @ one.T, generator.integers(0, 2, (200, 2)), 1).mean(1) for one in pair]
        low, high = np.quantile(draws[0] - draws[1], [0.025, 0.975])
        alarms.append(bool(low > 0 or high < 0))
    assert rate(alarms) > 0.15
    assert rate([one.p_value() <= ALPHA for one in rounds(200, seeds=2, of_seeds=0.5)]) <= 0.08


def test_the_error_over_users_and_seeds_is_the_true_one() -> None:
    """That over users is too small, by what trainings differ."""
    found = rounds(800, seeds=4, of_seeds=0.3)
    true = float(np.std([one.mean for one in found]))
    of_both = np.mean([one.total_error**2 for one in found if one.total_error]) ** 0.5
    assert of_both == pytest.approx(true, rel=0.08)
    assert np.mean([one.error for one in found]) < 0.6 * true


def test_a_method_that_is_ahead_by_more_than_its_seeds_is_found() -> None:
    assert rate([one.p_value() <= ALPHA for one in rounds(200, seeds=3, of_seeds=0.05, ahead=0.5)]) > 0.9
    assert rate([one.p_value() <= ALPHA for one in rounds(200, seeds=3, of_seeds=0.3, ahead=0.5)]) < 0.6


def test_many_users_take_little_memory_and_seconds() -> None:
    """A hundred thousand users, and as many columns as two metrics of six methods have."""
    values = np.random.default_rng(0).random((100_000, 12))
    tracemalloc.start()
    begun = time.process_time()
    bootstrap(values, 500, seed=0)
    seconds, (_, peak) = time.process_time() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64e6 and seconds < 2.5  # of the 10 s that a comparison may take, 2,000 replicates have a fraction

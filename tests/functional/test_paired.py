"""A mean difference and its standard error are those of scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from seqrec.functional.paired import paired


def test_mean_and_error_are_those_of_scipy() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.random(50), generator.random(50)
    found = paired(first, second)
    assert found.mean == pytest.approx((first - second).mean())
    assert found.error == pytest.approx(float(stats.sem(first - second)))
    assert found.mean / found.error == pytest.approx(float(stats.ttest_rel(first, second).statistic))
    assert found.text() == f"{found.mean:+.4f} ± {found.error:.4f}"


def test_one_pair_has_no_error() -> None:
    assert math.isnan(paired(np.ones(1), np.zeros(1)).error)

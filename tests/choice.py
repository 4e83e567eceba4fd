"""Which cases every test run tries, and which only ``-m thorough``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pytest

REPRESENTATIVE = {"sasrec", "easnrec", "fenrec", "gru4rec", "caser", "bpr", "maerec", "popularity", "markov"}
"""Models that between them have each kind of optimizers, samples, scores and stored state."""


def thorough_but(quick: Collection[Any], cases: Sequence[Any]) -> list[Any]:
    """The ``cases`` of a test, of which those that are not ``quick`` are marked as thorough.

    Raises:
        ValueError: something quick is no case, so that what was meant would not be tried.
    """
    unknown = [case for case in quick if case not in cases]
    if unknown:
        raise ValueError(f"{unknown} are none of the cases {list(cases)}")
    return [case if case in quick else pytest.param(case, marks=pytest.mark.thorough) for case in cases]

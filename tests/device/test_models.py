"""Every model of conf/model trains, validates and tests on the emulated device, and waits no more than it did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.choice import thorough_but
from tests.device.audit import audit
from tests.device.configurations import MODELS, VARIANTS
from tests.device.published import EPOCH_START, PUBLISHED
from tests.device.table import differences, stored

FIRST = {"sasrec", "bert4rec", "gru4rec", "easnrec", "fenrec", "markov"}
"""Tried in every test run."""


@pytest.mark.parametrize("name", thorough_but(FIRST, MODELS))
def test_model(apart: Any, cache_dir: Path, name: str) -> None:
    assert not differences(apart(audit, name, cache_dir), stored()[name])


def test_the_table_has_all_that_is_run_and_no_more() -> None:
    assert sorted(stored()) == sorted([*MODELS, *VARIANTS, *PUBLISHED, EPOCH_START])

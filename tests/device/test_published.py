"""Launches of a training step at the sizes published for Beauty, and of the start of an epoch that clusters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.device.audit import audit
from tests.device.published import EPOCH_START, PUBLISHED
from tests.device.table import differences, stored

TARGETED = ("sasrec", "fenrec", "easnrec")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "name",
    [name if name.startswith(TARGETED) else pytest.param(name, marks=pytest.mark.slow) for name in PUBLISHED],
)
def test_step(apart: Any, cache_dir: Path, name: str) -> None:
    assert not differences(apart(audit, name, cache_dir), stored()[name])


@pytest.mark.slow
def test_epoch_start(apart: Any, cache_dir: Path) -> None:
    assert not differences(apart(audit, EPOCH_START, cache_dir), stored()[EPOCH_START])

"""Parts of models that no model has by default, on the emulated device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.device.audit import audit
from tests.device.configurations import VARIANTS
from tests.device.table import differences, stored


@pytest.mark.thorough
@pytest.mark.parametrize("name", VARIANTS)
def test_variant(apart: Any, cache_dir: Path, name: str) -> None:
    assert not differences(apart(audit, name, cache_dir), stored()[name])

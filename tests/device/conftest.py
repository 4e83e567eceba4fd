"""The process in which a file's tests use the emulated device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.device.apart import process_apart

Apart = Callable[..., Any]
"""``apart(function, *arguments)``: what the function returns, or raises, there."""


@pytest.fixture(scope="module")
def apart() -> Iterator[Apart]:
    with process_apart() as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result()


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")

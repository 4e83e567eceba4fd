"""A working directory for runs of main.py."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.integration.running import Run, run_here, undrawn


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working directory of all runs; the cache of prepared data is in it too."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def run(workplace: Path) -> Run:
    """See :data:`running.Run`."""
    return partial(run_here, workplace)


@pytest.fixture(scope="module", name="undrawn")
def without_drawing() -> Iterator[None]:
    """For modules that look at no picture."""
    with undrawn():
        yield


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny models gain nothing from more."""
    torch.set_num_threads(1)

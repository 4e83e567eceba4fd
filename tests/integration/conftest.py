"""A working directory for runs of main.py."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

from seqrec.reporting import figures
from tests.integration.running import Run, run_here


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working directory of all runs; the cache of prepared data is in it too."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def run(workplace: Path) -> Run:
    """See :data:`running.Run`."""
    return partial(run_here, workplace)


@pytest.fixture(scope="module")
def undrawn() -> Iterator[None]:
    """For modules that look at no picture: runs make them, but leave out the drawing, a third of a small run's time."""

    def leave_out(figure: Figure, path: Path, dpi: int = 150) -> None:
        path.touch()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "save", leave_out)
        yield


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny models gain nothing from more."""
    torch.set_num_threads(1)

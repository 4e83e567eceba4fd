"""A working directory for runs of main.py."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.integration.running import Run, run_here, undrawn

ROOT = Path(__file__).parents[2]


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


@pytest.fixture(scope="session")
def job_server() -> Iterator[str]:
    """Where a process listens that has imported the libraries and is forked for each job of a sweep."""
    with tempfile.TemporaryDirectory() as folder:
        place = f"{folder}/socket"
        own = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(ROOT / "tests" / "preloaded.py"), "--serve", place]
        with subprocess.Popen(command, env=own, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout and server.stdout.readline() == "ready\n"
            yield place
            server.terminate()


@pytest.fixture
def quick_jobs(job_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of sweeps begin with the libraries imported, whatever launcher starts them."""
    monkeypatch.setenv("PRELOADED_JOBS", job_server)
    monkeypatch.syspath_prepend(ROOT / "tests" / "preloading")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny models gain nothing from more."""
    torch.set_num_threads(1)

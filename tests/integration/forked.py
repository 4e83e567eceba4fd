"""Runs of main.py in processes that begin with the libraries imported, which otherwise costs each some seconds.

They are forked from a process that has imported them and done nothing else. Of their pictures they draw none.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
from multiprocessing import forkserver
from pathlib import Path

import pytest

from tests.integration.running import MAIN, arguments, undrawn

CONTEXT = multiprocessing.get_context("forkserver")
LIBRARIES = ["torch", "pytorch_lightning", "torchmetrics", "hydra", "polars", "rich.progress", __name__]
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(MAIN.parent), "WANDB_MODE": "offline"}


def import_libraries() -> None:
    """Have the process run from which others are forked, here and where else ``forkserver`` starts them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        CONTEXT.set_forkserver_preload(LIBRARIES)
        forkserver.ensure_running()


class Forked:
    """A run in the folder ``workplace``, begun at once; what it prints goes to the file ``printed``."""

    def __init__(self, workplace: Path, *overrides: str) -> None:
        import_libraries()
        self.printed = workplace / f"printed-{os.urandom(8).hex()}.txt"
        words = arguments(workplace, *overrides)
        self.process = CONTEXT.Process(target=_main, args=(workplace, words, os.environ | ENVIRONMENT, self.printed))
        self.process.start()

    def poll(self) -> int | None:
        """The exit status, if it has ended."""
        return self.process.exitcode

    def send_signal(self, sign: signal.Signals) -> None:
        """As the shell's ``kill``."""
        assert self.process.pid is not None
        os.kill(self.process.pid, sign)

    def finish(self, timeout: float) -> tuple[int, str]:
        """Wait for the end; the exit status and all that was printed."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
            raise TimeoutError(f"{self.process} did not end within {timeout} seconds: {self.printed.read_text()}")
        return self.process.exitcode, self.printed.read_text()


def _main(workplace: Path, words: list[str], environment: dict[str, str], printed: Path) -> None:
    """What the new process does."""
    output = os.open(printed, os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(workplace)
    sys.argv[:] = [str(MAIN), *words]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background of a shell have it ignored
    with undrawn():
        runpy.run_path(str(MAIN), run_name="__main__")

"""Functions that run in a process of their own: who has used the emulated device has it registered for ever."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import pytest

from tests.integration.forked import CONTEXT, import_libraries
from tests.remembered import remember_reads


@contextmanager
def process_apart() -> Iterator[ProcessPoolExecutor]:
    """One process, forked from one that has imported the libraries and done nothing else."""
    import_libraries()
    with ProcessPoolExecutor(1, CONTEXT, initializer=_begin) as pool:
        yield pool


def _begin() -> None:
    remember_reads(pytest.MonkeyPatch())

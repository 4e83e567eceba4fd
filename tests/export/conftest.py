"""Graphs and bundles are made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

from seqrec.export.bundle import write_bundle
from tests.inference.conftest import Finished, finished, one_thread, train

__all__ = ["Bundles", "bundles", "finished", "graphs", "one_thread", "train"]

Bundles = dict[tuple[str, str], Path]
"""Folders by model and quantisation."""


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the graphs of :func:`tests.export.parity.graph_of`."""
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture(scope="session")
def bundles(finished: dict[str, Finished], shared: Path) -> Bundles:
    """Bundles of small finished runs, made when a test asks for them, once for all processes; tests change copies."""

    class Made(Bundles):
        def __missing__(self, key: tuple[str, str]) -> Path:
            folder = shared / f"bundle-of-{key[0]}-{key[1]}" / "made"
            names = {"1": "The first", "2": 'With "quotes" & <tags>'}
            with FileLock(f"{folder.parent}.lock"):
                if not folder.exists():
                    write_bundle(finished[key[0]].folder, folder, key[1], names)
            self[key] = folder
            return self[key]

    return Made()

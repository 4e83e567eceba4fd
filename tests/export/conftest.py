"""Graphs and bundles are made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

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
def bundles(finished: dict[str, Finished], tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    """Bundles of small finished runs, made when a test asks for them."""

    class Made(Bundles):
        def __missing__(self, key: tuple[str, str]) -> Path:
            folder = tmp_path_factory.mktemp("bundle") / "made"
            names = {"1": "The first", "2": 'With "quotes" & <tags>'}
            self[key] = write_bundle(finished[key[0]].folder, folder, key[1], names).folder
            return self[key]

    return Made()

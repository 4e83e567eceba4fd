"""Graphs are made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the graphs of :func:`tests.export.parity.graph_of`."""
    return tmp_path_factory.mktemp("graphs")

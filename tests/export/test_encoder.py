"""The graphs of models give what the models give."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.export.parity import MAX_LENGTH, difference, drawn, graph_of

FAST = ["sasrec", "easnrec", "bert4rec"]
"""Exported in every test run; the others with ``-m export``."""


@pytest.mark.parametrize("name", FAST)
def test_graphs_agree_with_their_models(name: str, graphs: Path) -> None:
    model, graph, path = graph_of(name, graphs)
    mixed = drawn([*range(1, MAX_LENGTH + 1)] * 2)
    for histories in (mixed, drawn([1]), drawn([7, 7]), drawn([MAX_LENGTH])):
        found = difference(model, graph, path, histories)
        assert found.vector < 1e-5
        assert found.same >= 0.99 and found.score < 1e-5

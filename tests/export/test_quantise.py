"""Folded and quantised graphs: every product with weights is in 8 bits, and the vectors hardly move."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from seqrec.export import item_tables
from seqrec.export.agreement import feed, session
from seqrec.export.quantise import fold, quantise
from tests.export.parity import drawn, graph_of

NAMES = ["sasrec", "easnrec", "bert4rec"]


def products(path: Path) -> list[str]:
    """Operators of a graph that multiply with weights."""
    graph = onnx.load(path).graph
    weights = {tensor.name for tensor in graph.initializer}
    kinds = ("MatMul", "Gemm", "MatMulInteger")
    return [node.op_type for node in graph.node if node.op_type in kinds and node.input[1] in weights]


@pytest.mark.parametrize("name", NAMES)
def test_all_products_with_weights_are_quantised(name: str, graphs: Path, tmp_path: Path) -> None:
    model, graph, path = graph_of(name, graphs)
    folded, small = tmp_path / "folded.onnx", tmp_path / "small.onnx"
    shutil.copy(path, folded)
    fold(folded)
    quantise(folded, small)
    assert {node.domain for node in onnx.load(folded).graph.node} == {""}
    assert products(small) == ["MatMulInteger"] * len(products(folded)) != []
    inputs = feed(graph, drawn([*range(1, 51)]), item_tables(model).input)
    exact, same, near = (session(file).run(None, inputs)[0] for file in (path, folded, small))
    np.testing.assert_allclose(same, exact, rtol=1e-5, atol=1e-5 * np.abs(exact).max())
    cosine = (near * exact).sum(1) / np.linalg.norm(near, axis=1) / np.linalg.norm(exact, axis=1)
    assert cosine.min() > 0.95 and cosine.mean() > 0.99
    assert np.abs(near - exact).max() > 0


def test_a_graph_says_nothing_of_where_it_was_made(graphs: Path) -> None:
    path = graph_of("sasrec", graphs)[2]
    assert str(Path(__file__).parents[2]).encode() not in path.read_bytes()
    assert b".py" not in path.read_bytes()

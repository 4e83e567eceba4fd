"""Folded and quantised graphs: every product with weights is in 8 bits, and the vectors hardly move."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from seqrec.export import item_tables
from seqrec.export.agreement import feed, session
from seqrec.export.files import write_floats
from seqrec.export.quantise import fold, quantise
from seqrec.export.score import TableFiles, score_graph
from tests.choice import thorough_but
from tests.export.parity import drawn, graph_of

NAMES = thorough_but(["sasrec"], ["sasrec", "easnrec", "bert4rec"])


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


def test_the_largest_products_do_not_overflow(tmp_path: Path) -> None:
    """Processors that add two products in 16 bits would cut these off."""
    rows = np.repeat([[127], [-127], [127]], 64, axis=1).astype(np.int8)
    (tmp_path / "rows").write_bytes(rows.tobytes())
    write_floats(tmp_path / "scale", np.ones(3))
    score_graph(tmp_path / "score.onnx", TableFiles("rows", "scale", None, width=3, dim=64))
    vectors = np.array([[1.0], [-1.0]], np.float32).repeat(64, axis=1)
    feeds = {"vector": vectors, "penalty": np.zeros((1, 3), np.float32), "k": np.array([3])}
    scores, items = session(tmp_path / "score.onnx").run(None, feeds)
    np.testing.assert_allclose(scores, np.array([[1, 1, -1], [1, -1, -1]]) * 127.0 * 64, rtol=1e-6)
    assert items.tolist() == [[0, 2, 1], [1, 0, 2]]


def test_a_graph_says_nothing_of_where_it_was_made(graphs: Path) -> None:
    path = graph_of("easnrec", graphs)[2]
    assert str(Path(__file__).parents[2]).encode() not in path.read_bytes()
    assert b".py" not in path.read_bytes()

"""The score graph of a bundle: vectors to the best items, with tables that lie beside it as plain files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from seqrec.export.to_onnx import OPSET, check_installed
from seqrec.serving.bundle import IN_VECTOR, TINY

IR_VERSION = 10  # of the file; runtimes refuse those that are newer than they are
ZERO = IN_VECTOR + 1  # the number in the place of 0 in a quantised vector, whose entries are unsigned


class TableFiles(NamedTuple):
    """What vectors are multiplied with.

    Attributes:
        rows: name of the file of the table ``(I + 2, D')``, row ``i`` is item ``i``: int8, or float32.
        scale: of each row, ``(I + 2,)`` float32; None where the rows are float32.
        bias: ``(I + 2,)`` float32; None where there is none.
        width: I + 2.
        dim: D'.
    """

    rows: str
    scale: str | None
    bias: str | None
    width: int
    dim: int


def score_graph(path: Path, table: TableFiles) -> None:
    """Write the graph ``(vector (B, D'), penalty (B or 1, I + 2), k (1,)) -> scores (B, k), items (B, k)``.

    The penalty is added to the scores; minus infinity keeps an item out. Higher scores come first, equal ones by the
    lower item number. In 8 bits each vector has a scale of its own, so its scores do not depend on the others'.

    Args:
        path: of the file; the tables lie in the same folder.
        table: what vectors are multiplied with.

    Raises:
        ValueError: a package is missing.
    """
    check_installed()
    import onnx
    from onnx import TensorProto, helper

    made, node, value = Graphs(table), helper.make_node, helper.make_tensor_value_info
    scores = made.quantised() if table.scale else made.plain()
    nodes = [
        *made.nodes,
        node("Add", [scores, "penalty"], ["remaining"]),
        node("TopK", ["remaining", "k"], ["scores", "items"], axis=1),
    ]
    inputs = [
        value("vector", TensorProto.FLOAT, ["B", table.dim]),
        value("penalty", TensorProto.FLOAT, ["P", table.width]),
        value("k", TensorProto.INT64, [1]),
    ]
    outputs = [value("scores", TensorProto.FLOAT, ["B", "K"]), value("items", TensorProto.INT64, ["B", "K"])]
    graph = helper.make_graph(nodes, "score", inputs, outputs, made.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.save(model, path)
    onnx.checker.check_model(str(path))  # by its name, so that it finds the tables


class Graphs:
    """Nodes and constants of scores before the penalty.

    Args:
        table: what vectors are multiplied with.

    Attributes:
        nodes: in order.
        constants: tables, as names of files, and numbers.
    """

    def __init__(self, table: TableFiles) -> None:
        self.table = table
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def plain(self) -> str:
        """The name of ``vector @ rows.T + bias`` in float32."""
        rows = self._file("rows", self.table.rows, (self.table.width, self.table.dim))
        bias = [self._file("bias", self.table.bias, (self.table.width,))] if self.table.bias else []
        return self._node("Gemm", "vector", rows, *bias, transB=1)

    def quantised(self) -> str:
        """The name of the same in 8 bits: the vector is scaled by its own largest entry, products are of integers."""
        import numpy as np

        assert self.table.scale is not None
        rows = self._file("rows", self.table.rows, (self.table.width, self.table.dim), integers=True)
        columns = self._node("Transpose", rows, perm=[1, 0])  # done once, when the graph is opened
        largest = self._node("ReduceMax", self._node("Abs", "vector"), self._number("axis", np.array([1])), keepdims=1)
        positive = self._node("Max", largest, self._number("tiny", np.float32(TINY)))
        scale = self._node("Div", positive, self._number("largest", np.float32(IN_VECTOR)))
        rounded = self._node("Round", self._node("Div", "vector", scale))
        shifted = self._node("Add", rounded, self._number("zero", np.float32(ZERO)))
        unsigned = self._node("Cast", shifted, to=2)
        products = self._node("MatMulInteger", unsigned, columns, self._number("zero_point", np.uint8(ZERO)))
        by_row = self._node(
            "Mul", self._node("Cast", products, to=1), self._file("scale", self.table.scale, (self.table.width,))
        )
        scores = self._node("Mul", by_row, scale)
        if not self.table.bias:
            return scores
        return self._node("Add", scores, self._file("bias", self.table.bias, (self.table.width,)))

    def _node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def _number(self, name: str, value: Any) -> str:
        import numpy as np
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _file(self, name: str, file: str, shape: tuple[int, ...], integers: bool = False) -> str:
        """A constant that is a file beside the graph."""
        from math import prod

        from onnx import TensorProto

        kind = TensorProto.INT8 if integers else TensorProto.FLOAT
        constant = TensorProto(name=name, data_type=kind, dims=shape, data_location=TensorProto.EXTERNAL)
        length = prod(shape) * (1 if integers else 4)
        for key, value in (("location", file), ("offset", "0"), ("length", str(length))):
            constant.external_data.add(key=key, value=value)
        self.constants.append(constant)
        return name

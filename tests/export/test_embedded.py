"""Embedded histories have the states of their items, in training's forms and in those of graphs."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

import seqrec
from seqrec.export.forms import exported
from seqrec.nn.packing import DensePacking, packed_as
from tests.conftest import MODELS
from tests.export.parity import MAX_LENGTH, drawn, model_of

NAMES = sorted({path.stem for path in MODELS.glob("*.yaml")} - {"popularity", "markov", "bpr"})
LENGTHS = [3, 1, 50, 12, 12, 27]


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_embedded_histories_have_the_states_of_their_items(name: str) -> None:
    model = model_of(name).double()
    items = pad_sequence(drawn(LENGTHS), batch_first=True)
    user = torch.arange(len(LENGTHS))
    known: dict[str, Any] = {"user": user} if model.knows_users else {}
    wanted = model.backbone.newest(items, **known)
    table, users = model.backbone.input_table, getattr(model.backbone, "user_matrix", None)
    vectors = {} if users is None else {"user": users[user]}
    found = model.backbone.newest_of(table[items], items != 0, **vectors)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)
    if name != "gru4rec":  # whose form is an operator of ONNX, which PyTorch does not have
        with packed_as(DensePacking):
            graph = exported(model, MAX_LENGTH).backbone.newest_of(table[items], items != 0, **vectors)
        torch.testing.assert_close(graph, wanted, rtol=1e-9, atol=1e-9)


LISTS = {"self.inner_memories", "self.blocks", "self.rows", "self.scores", "self.layers"}
"""Lists of modules, and buffers of fixed size, whose length may be asked for."""

BESIDE = {
    "image_filters.py": {"height"},
    "trunk.py": set(),
    "slstm.py": {"active"},
    "packing.py": {"groups", "lengths"},
}
"""What else may, by file: where a model is built, and in gradients."""


def test_the_length_of_no_tensor_is_asked_for() -> None:
    """``len(x)`` fixes that dimension of a graph to that of its example; ``x.shape[0]`` does not."""
    folder = Path(seqrec.__file__).parent
    files = [*folder.glob("backbones/**/*.py"), *(folder / "nn" / f"{name}.py" for name in ON_THE_PATH)]
    found = [
        f"{path.relative_to(folder)}:{node.lineno} {ast.unparse(node)}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "len"
        and ast.unparse(node.args[0]) not in LISTS | BESIDE.get(path.name, set())
    ]  # fmt: skip
    assert not found


ON_THE_PATH = ("attention", "dropout", "packing", "pre_norm", "trunk", "window_mask", "window_trunk")

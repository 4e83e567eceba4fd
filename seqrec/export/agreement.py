"""Does a graph give what its model gives? The exporter is never trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqrec.data.batch import Histories
from seqrec.export.graph import Graph
from seqrec.export.tables import item_tables, user_table
from seqrec.methods.base import Recommender

TOLERANCE = 1e-3  # of a vector, relative to the largest entry of all; exports that went wrong are off by far more
ROWS = 16


def session(path: str | Path) -> Any:
    """An onnxruntime session of a graph, on one thread of the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def feed(graph: Graph, histories: list[Tensor], table: Tensor, users: Tensor | None = None) -> dict[str, np.ndarray]:
    """The inputs of a graph.

    Args:
        graph: of the model.
        histories: item numbers of each, oldest first.
        table: the input table.
        users: ``(B, D_u)`` vectors, for graphs that want them.
    """
    mask = torch.tensor([table.shape[0] - 1]) if graph.append_mask else torch.tensor([], dtype=torch.int64)
    kept = [history[-graph.keep :][int(graph.drop_oldest) :] for history in histories]
    rows = [torch.cat([history, mask]) for history in kept]
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    inputs = {"x": table[padded], "length": torch.tensor([row.shape[0] for row in rows])}
    if "user" in graph.inputs and users is not None:
        inputs["user"] = users
    return {name: value.detach().numpy() for name, value in inputs.items()}


@torch.no_grad()
def check_agreement(model: Recommender, path: str | Path, graph: Graph) -> None:
    """Compare a graph with its model on random histories of lengths 1 to ``max_length``, in one batch and singly.

    Raises:
        ValueError: they differ.
    """
    draws = torch.Generator().manual_seed(0)
    lengths = torch.linspace(1, graph.max_length, min(ROWS, graph.max_length)).long()
    items = [torch.randint(1, model.backbone.num_items + 1, (int(n),), generator=draws) for n in lengths]
    users = user_table(model)
    chosen = None if users is None else torch.randint(0, users.shape[0], lengths.shape, generator=draws)
    padded = torch.nn.utils.rnn.pad_sequence(items, batch_first=True)
    expected = model.query(Histories(padded.to(model.device), None if chosen is None else chosen.to(model.device)))
    wanted = expected.float().cpu().numpy()
    run, table = session(path), item_tables(model).input
    known = None if users is None or chosen is None else users[chosen]
    parts = [slice(None), *(slice(row, row + 1) for row in (0, len(items) // 2, len(items) - 1))]
    for part in parts:
        found = run.run(None, feed(graph, items[part], table, None if known is None else known[part]))[0]
        error = float(np.abs(found - wanted[part]).max() / max(np.abs(wanted).max(), 1e-12))
        if not error <= TOLERANCE:
            raise ValueError(
                f"the graph {path} does not give what {type(model).__name__} gives: vectors differ by {error:.1e} of "
                "their size; another version of torch or onnx may help (pip install -U 'seqrec[export]')"
            )

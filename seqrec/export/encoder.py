"""The encoder graph: embedded histories to the vectors that ask for the next item."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from seqrec.export.agreement import check_agreement
from seqrec.export.exportable import exportable
from seqrec.export.forms import exported
from seqrec.export.graph import Graph
from seqrec.export.tables import item_tables, user_table
from seqrec.export.to_onnx import write
from seqrec.methods.base import Recommender
from seqrec.methods.ranker import Ranker
from seqrec.nn.packing import DensePacking, packed_as


class Encoder(nn.Module):
    """What a graph computes.

    Args:
        model: in evaluation mode, with its parts in their export forms.
    """

    def __init__(self, model: Recommender) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Vectors ``(B, D')`` of ``x (B, L, D)``, ``length (B,)`` and, of models that know them, ``user (B, D_u)``."""
        x, length = inputs["x"], inputs["length"]
        valid = torch.arange(x.shape[1], device=x.device) < length[:, None]
        known = {name: inputs[name] for name in inputs if name == "user"}
        with packed_as(DensePacking):
            return self.model.asking(self.model.backbone.newest_of(x, valid, **known))


def encoder_graph(model: Ranker, path: str | Path, max_length: int) -> Graph:
    """Write the encoder of a trained model as an ONNX graph, and see that it gives what the model gives.

    Only what a recommendation needs goes into the graph: generators, discriminators and other helpers of the training
    stay behind, and so do the item tables, see :func:`~seqrec.export.tables.item_tables`.

    Args:
        model: with its trained weights; it is left in training or evaluation as it was, but holds nothing any more, see
            :meth:`Ranker.hold`.
        path: of the file to write.
        max_length: longest history that the model sees, ``data.max_length`` of its run.

    Returns:
        What a runner must know; for a model that knows users alone there is no file.

    Raises:
        ValueError: the model counts, a package is missing, a part of the model does what a graph cannot hold, or the
            graph does not give what the model gives.
    """
    recommender = exportable(model)
    training = recommender.training
    recommender.eval()
    try:
        with torch.no_grad():
            recommender.hold()
            return _written(recommender, path, max_length)
    finally:
        recommender.release()
        recommender.train(training)


def _written(model: Recommender, path: str | Path, max_length: int) -> Graph:
    tables, users = item_tables(model), user_table(model)
    vector_dim = tables.output.shape[1]
    if not model.reads_histories:
        return Graph(("user",), 0, vector_dim, max_length, 0, False, False)
    batch = torch.export.Dim("B", min=1)
    width = torch.export.Dim("L", min=1, max=max_length)
    length = torch.tensor([min(n, max_length) for n in (7, 2, 5)])
    x = torch.randn(3, int(length.max()), tables.input.shape[1])
    inputs = {"x": (x, {0: batch, 1: width}), "length": (length, {0: batch})}
    if users is not None:
        inputs["user"] = (users[:1].expand(3, -1).clone(), {0: batch})
    write(Encoder(exported(model, max_length)).eval(), type(model).__name__, path, inputs, ["vector"])
    drops = model.always_drop and model.appends_mask
    keep = max_length - 1 if model.appends_mask and not drops else max_length
    graph = Graph(tuple(inputs), tables.input.shape[1], vector_dim, max_length, keep, model.appends_mask, drops)
    check_agreement(model, path, graph)
    return graph

"""The one-step graph of a recurrent model: one more item of a history, at a cost that does not grow with its length."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from seqrec.export.exportable import exportable
from seqrec.export.forms import Stepwise, exported
from seqrec.export.to_onnx import write
from seqrec.methods.base import Recommender
from seqrec.methods.ranker import Ranker


class StepGraph(NamedTuple):
    """What a runner must know of a one-step graph.

    Its inputs are ``x (B, D)``, rows of the input table, and the parts of the state; its outputs ``vector (B, D')``,
    for the output table, and ``next_<part>`` for each part. All numbers are float32.

    Attributes:
        states: shape of each part of a history's state, by name; in the graph the number B of histories comes first.
            All are zero before the first item.
    """

    states: dict[str, tuple[int, ...]]


class Step(nn.Module):
    """What a one-step graph computes.

    Args:
        model: in evaluation mode, with its parts in their export forms.
    """

    def __init__(self, model: Recommender) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """Vectors ``(B, D')`` and the next parts of the state, of ``x (B, D)`` and the parts before."""
        vector, *after = self.model.backbone.step_of(**inputs)  # type: ignore[operator]
        return self.model.asking(vector), *after


def step_graph(model: Ranker, path: str | Path) -> StepGraph | None:
    """Write the one-step graph of a model whose backbone is recurrent; others have none.

    A step remembers the whole history, while the encoder graph sees the newest ``max_length`` items of it. Up to that
    length both give the same.

    Args:
        model: with its trained weights; it is left as it was.
        path: of the file to write.

    Returns:
        What a runner must know, or None, and no file, where the model has no state that one more item could update.

    Raises:
        ValueError: the model counts, or a package is missing.
    """
    recommender = exportable(model)
    twin = exported(recommender, max_length=2)  # a step needs the first power of a constant, not those of all ages
    if not isinstance(twin.backbone, Stepwise) or twin.appends_mask:
        return None
    shapes = twin.backbone.state_shapes()
    batch = torch.export.Dim("B", min=1)
    example = {"x": (recommender.backbone.input_table.shape[1],), **shapes}
    inputs = {name: (torch.zeros(3, *shape), {0: batch}) for name, shape in example.items()}
    write(Step(twin).eval(), type(recommender).__name__, path, inputs, ["vector", *(f"next_{name}" for name in shapes)])
    return StepGraph(shapes)

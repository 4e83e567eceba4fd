"""The tables beside a graph: what items are embedded with, and what a vector is multiplied with."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from seqrec.export.exportable import exportable
from seqrec.methods.ranker import Ranker


class ItemTables(NamedTuple):
    """Float32, on the CPU, detached.

    Attributes:
        input: ``(I + 2, D)``, vectors of padding, items and mask token.
        output: ``(I, D')``, row ``i`` is item ``i + 1``.
        bias: ``(I,)``, added to the scores; None if there is none.
    """

    input: Tensor
    output: Tensor
    bias: Tensor | None


@torch.no_grad()
def item_tables(model: Ranker) -> ItemTables:
    """The item tables of a model; where both are the same, output and rows 1 to I of input share their memory.

    Raises:
        ValueError: the model counts.
    """
    recommender = exportable(model)
    table, bias = recommender.output_table()
    given = recommender.backbone.input_table.detach().float().cpu()
    made = table.detach().float().cpu()
    if made.shape == given[1:-1].shape and torch.equal(made, given[1:-1]):
        made = given[1:-1]
    return ItemTables(given, made, None if bias is None else bias.detach().float().cpu())


def user_table(model: Ranker) -> Tensor | None:
    """Vectors ``(U, D_u)`` of the users of a model that knows them, row ``u`` is user ``u``; None for others."""
    backbone = exportable(model).backbone
    table = getattr(backbone, "user_matrix", None)
    return None if table is None else table.detach().float().cpu()

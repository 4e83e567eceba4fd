"""Products with the adjacency of an undirected graph.

Shapes: V nodes, E directed edges (both directions of each, and loops), D width.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

DEGREE_EPS = 1e-12


class Adjacency(NamedTuple):
    """A symmetric sparse matrix in CSR form.

    Attributes:
        offsets: ``(V + 1,)``.
        columns: ``(E,)``.
        values: ``(E,)``.
    """

    offsets: Tensor
    columns: Tensor
    values: Tensor

    def times(self, x: Tensor) -> Tensor:
        """``(V, D)`` -> ``(V, D)``; the gradient is the same product, as the matrix is symmetric.

        In the type of the matrix, under autocast too: sparse products have no half precision.
        """
        with torch.autocast(x.device.type, enabled=False):
            product: Tensor = _SymmetricProduct.apply(self, x.to(self.values.dtype))
        return product


def normalised(rows: Tensor, cols: Tensor, nodes: int, dtype: torch.dtype) -> Adjacency:
    """``D^(-1/2) A D^(-1/2)`` of the edges of an undirected graph, sorted by ``cols``.

    Args:
        rows, cols: ``(E,)``; with an edge its reverse is there too.
        nodes: V.
        dtype: of the values.
    """
    degree = torch.bincount(cols, minlength=nodes)
    scale = (degree.to(dtype) + DEGREE_EPS).rsqrt()
    offsets = F.pad(degree.cumsum(0), (1, 0))
    return Adjacency(offsets, rows, scale[rows] * scale[cols])


def layers(adjacency: Adjacency, table: Tensor, count: int) -> list[Tensor]:
    """``E_0 .. E_count``, each ``(V, D)``: the table and what ``count`` products make of it."""
    found = [table]
    for _ in range(count):
        found.append(adjacency.times(found[-1]))
    return found


class _SymmetricProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, adjacency: Adjacency, x: Tensor) -> Tensor:
        with warnings.catch_warnings():
            # The one operation used here, a product, is tested against dense matrices.
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            ctx.matrix = torch.sparse_csr_tensor(*adjacency, (len(x), len(x)), check_invariants=False)
        return ctx.matrix @ x

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor | None, ...]:
        return None, ctx.matrix @ grad[0]

"""Gradients within limits, dense and sparse."""

from __future__ import annotations

from functools import partial
from typing import Literal

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqrec.nn.clipping import clip_gradients


def gradients(sparse: bool, limit: float, algorithm: Literal["norm", "value"]) -> list[Tensor]:
    torch.manual_seed(0)
    table, matrix = nn.Parameter(torch.randn(6, 3)), nn.Parameter(torch.randn(3, 2))
    unused = nn.Parameter(torch.randn(2))
    rows = F.embedding(torch.tensor([1, 4, 1]), table, sparse=sparse)  # row 1 twice
    (rows @ matrix).square().sum().backward()
    clip_gradients([table, matrix, unused], limit, algorithm)
    assert unused.grad is None
    assert table.grad is not None and matrix.grad is not None and table.grad.is_sparse == sparse
    return [table.grad.to_dense(), matrix.grad]


@pytest.mark.parametrize("algorithm", ["norm", "value"])
@pytest.mark.parametrize("limit", [0.5, 1e6])
def test_sparse_gradients_are_clipped_as_dense_ones(limit: float, algorithm: Literal["norm", "value"]) -> None:
    dense = gradients(False, limit, algorithm)
    assert all(map(partial(torch.allclose, rtol=1e-6), gradients(True, limit, algorithm), dense))
    both = torch.cat([gradient.flatten() for gradient in dense])
    reached = float(both.norm() if algorithm == "norm" else both.abs().max())
    assert (0.49 < reached < 0.501) if limit == 0.5 else reached > 1

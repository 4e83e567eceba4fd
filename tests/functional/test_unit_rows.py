"""A GPU's rows of length one are the ordinary ones, gradient included."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from seqrec.functional.unit_rows import _UnitRows


def test_rows_and_gradient_are_those_of_normalize() -> None:
    x = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    weight = torch.linspace(-1, 2, 20, dtype=torch.float64).view(5, 4)
    for row in (_UnitRows.apply(x), F.normalize(x, dim=1)):
        (gradient,) = torch.autograd.grad((weight * row).sum(), x)
        torch.testing.assert_close(row.norm(dim=1), torch.ones(5, dtype=torch.float64))
        wanted = torch.autograd.grad((weight * x / x.norm(dim=1, keepdim=True)).sum(), x)[0]
        torch.testing.assert_close(gradient, wanted)

"""A GPU's look-up in a table of few rows is the ordinary one, gradient included."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from seqrec.nn.few_rows import _FewRows, look_up


def test_rows_and_gradient_are_those_of_an_embedding() -> None:
    place = torch.randint(0, 7, (5, 4))
    found, wanted = (torch.arange(21.0, dtype=torch.float64).view(7, 3).requires_grad_() for _ in range(2))
    rows = _FewRows.apply(found, place)
    assert torch.equal(rows, F.embedding(place, wanted))
    rows.square().sum().backward()
    F.embedding(place, wanted).square().sum().backward()
    assert found.grad is not None
    torch.testing.assert_close(found.grad, wanted.grad)


def test_a_cpu_looks_up_as_ever() -> None:
    table = torch.randn(7, 3, requires_grad=True)
    assert "Embedding" in type(look_up(table, torch.tensor([1, 2])).grad_fn).__name__

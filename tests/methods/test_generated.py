"""What a generator made, in the place of items."""

from __future__ import annotations

import pytest
import torch

from seqrec.methods.adversarial.generated import Generated
from seqrec.nn.chosen import AllPositions, Chosen, ChosenByIndex

MASKED = torch.tensor([[False, True, False], [False, False, True]])


@pytest.mark.parametrize(
    "filled", [Chosen(MASKED), ChosenByIndex(MASKED, 4), AllPositions(MASKED)], ids=lambda form: type(form).__name__
)
def test_relaxed_items_look_discrete_and_pass_gradient_on(filled: Chosen) -> None:
    x = torch.randn(2, 3, 4, requires_grad=True)
    count = 2 if filled.exist is None else len(filled.exist)
    mean = torch.randn(count, 4, requires_grad=True)
    relaxed = Generated(torch.zeros(2, 3), filled, mean, torch.zeros(())).relax(x, -3.0)
    assert torch.equal(relaxed, x)
    relaxed.sum().backward()
    exist = torch.ones(count) if filled.exist is None else filled.exist
    torch.testing.assert_close(mean.grad, -3.0 * exist[:, None].expand(-1, 4), rtol=0, atol=0)
    torch.testing.assert_close(x.grad, torch.ones_like(x), rtol=0, atol=0)

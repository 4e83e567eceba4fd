"""The generator's head against plain autograd, in one chunk and in many."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from seqrec.functional import generation


@pytest.mark.parametrize("chunk", [1 << 22, 40, 1])
@pytest.mark.parametrize("positions", [7, 0])
def test_loss_choice_and_mean_match_autograd(chunk: int, positions: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "CHUNK_ELEMENTS", chunk)
    torch.manual_seed(0)
    states = torch.randn(positions, 5, dtype=torch.float64, requires_grad=True)
    classes = torch.randn(11, 5, dtype=torch.float64, requires_grad=True)
    target, weight = torch.randint(0, 11, (positions,)), torch.rand(positions, dtype=torch.float64)
    probe = torch.randn(positions, 5, dtype=torch.float64)
    loss, choice, mean = generation.generate(states, classes, target, weight)
    ours = torch.autograd.grad(loss * 1.7 + (mean * probe).sum(), (states, classes))

    logits = states @ classes.T
    expected_mean = logits.softmax(1) @ classes.detach()
    expected = (F.cross_entropy(logits, target, reduction="none") * weight).sum()
    theirs = torch.autograd.grad(expected * 1.7 + (expected_mean * probe).sum(), (states, classes))
    torch.testing.assert_close(loss, expected)
    assert torch.equal(choice, logits.argmax(1))
    torch.testing.assert_close(mean, expected_mean)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)
    only_mean = torch.autograd.grad(generation.generate(states, classes, target, weight)[2].sum(), states)[0]
    torch.testing.assert_close(
        only_mean, torch.autograd.grad(((states @ classes.T).softmax(1) @ classes.detach()).sum(), states)[0]
    )

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


def test_under_autocast_it_multiplies_bfloat16_and_adds_float32() -> None:
    """Loss and mean of rounded operands; the score of the target is one of the rounded logits, too."""
    torch.manual_seed(0)
    states, classes = (torch.randn(n, 16).requires_grad_() for n in (40, 70))
    target, weight, probe = torch.randint(0, 70, (40,)), torch.rand(40), torch.randn(40, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, choice, mean = generation.generate(states, classes, target, weight)
    found = torch.autograd.grad(loss + (mean * probe).sum(), [states, classes])
    logits = states.bfloat16().double() @ classes.bfloat16().double().T
    assert loss.dtype == mean.dtype == torch.float32
    assert torch.equal(choice, logits.argmax(1))
    rounded = (F.cross_entropy(logits, target, reduction="none") * weight).sum()
    torch.testing.assert_close(loss.double(), rounded, rtol=1e-5, atol=0)
    full, _, exact = generation.generate(states, classes, target, weight)
    assert not torch.equal(mean, exact) and (mean - exact).norm() < 1e-2 * exact.norm()
    for mine, theirs in zip(found, torch.autograd.grad(full + (exact * probe).sum(), [states, classes]), strict=True):
        assert (mine - theirs).norm() < 2e-2 * theirs.norm()

"""The two forms of EASNRec's attention in training."""

from __future__ import annotations

import pytest
import torch

from seqrec.methods.easnrec import blocks
from seqrec.methods.easnrec.uncertainty import UncertaintyAttention


@pytest.mark.parametrize("causal", [True, False])
def test_forms_of_both_branches(causal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 2)
    attention = UncertaintyAttention(8, 2, 0.0, causal, noise_std=0.5).double().train()
    noise = torch.randn(2, 3, 2, 5, 4, dtype=torch.float64)  # of queries and keys (B, H, L, D / H)
    valid = torch.arange(5) < torch.tensor([5, 2, 3])[:, None]
    projected = torch.randn(3, 5, 40, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 5, 8, dtype=torch.float64) * valid[..., None]
    found = []
    for form, drawn in (
        (attention.attend_twice, [*noise]),
        (attention.attend_fused, [noise]),
        (attention.attend_in_blocks, [*noise]),
    ):
        left = iter(drawn)
        attention.noise = lambda like, left=left: next(left)  # type: ignore[method-assign, misc]
        context = form(projected, valid) * valid[..., None]
        found.append((context, *torch.autograd.grad((context * weight).sum(), projected)))
    for one, *others in zip(*found, strict=True):
        for other in others:
            torch.testing.assert_close(other, one, rtol=1e-10, atol=1e-12)

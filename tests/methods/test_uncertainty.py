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


def test_dropped_weights_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    n, length, width = 3, 5, 4
    kept = torch.rand(2, n, length, length) < 0.7
    monkeypatch.setattr(blocks, "kept_bytes", lambda weights, p: kept.to(torch.uint8))
    parts = torch.randn(5, n, length, width, dtype=torch.float64, requires_grad=True)
    noise = torch.randn(2, n, length, width, dtype=torch.float64)
    query, key, value, penalty_query, penalty_key = parts
    visible = torch.ones(length, length, dtype=torch.bool).tril()
    expected = torch.zeros_like(value)
    for branch, (q, k) in enumerate(((query, key), (query + noise[0], key + noise[1]))):
        scores = (q @ k.mT - penalty_query @ penalty_key.mT) / width**0.5
        weights = torch.softmax(scores.masked_fill(~visible, -torch.inf), -1)
        expected = expected + weights * kept[branch] / 0.75 @ value
    actual = blocks.block_attention(parts, (noise[0], noise[1]), None, True, 0.25)
    torch.testing.assert_close(actual, expected)
    weight = torch.randn_like(expected)
    wanted, got = (torch.autograd.grad((x * weight).sum(), parts)[0] for x in (expected, actual))
    torch.testing.assert_close(got, wanted)

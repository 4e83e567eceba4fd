"""Which parameters decay."""

from __future__ import annotations

import torch
from torch import nn

from seqrec.nn.optimizers import adamw_for_matrices


def test_only_matrices_decay() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    optimizer = adamw_for_matrices(model.parameters(), lr=0.1, weight_decay=0.5, eps=1e-9)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    for name, p in model.named_parameters():
        factor = 1 - 0.1 * 0.5 if name == "0.weight" else 1.0
        torch.testing.assert_close(p.detach(), before[name] * factor)

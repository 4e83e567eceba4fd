"""Several pairs of views in one call, as on a GPU, against one after the other."""

from __future__ import annotations

import pytest
import torch

from seqrec.methods.contrastive import HardNegativeContrast, InBatchContrast, Pair, PairContrast, PrintedContrast
from seqrec.nn.packing import DensePacking, packed_as

HARD = (0.8, 1, 2, 4, 0.1, 3.0, 0.2, 0.4, 0.1)
CONTRASTS = {"in batch": InBatchContrast(0.8), "hard": HardNegativeContrast(*HARD), "printed": PrintedContrast(*HARD)}


@pytest.mark.parametrize("contrast", CONTRASTS.values(), ids=CONTRASTS)
@pytest.mark.parametrize("epoch", [0, 1])
def test_pairs_together_are_pairs_one_by_one(contrast: PairContrast, epoch: int) -> None:
    generator = torch.Generator().manual_seed(0)
    views = torch.randn(3, 2, 6, 4, dtype=torch.float64, generator=generator).requires_grad_()
    labels = torch.tensor([[0, 1, 2, 3, 4, 1], [0, 0, 0, 1, 1, 2], [0, 1, 2, 3, 4, 5]])
    noise = contrast.negatives(views[0, 0], views[0, 1], labels[0], epoch)
    pairs = [Pair(both[0], both[1], own) for both, own in zip(views, labels, strict=True)]
    found = []
    for form in (None, DensePacking):
        if form is None:
            losses = contrast.of_each(pairs, noise)
        else:
            with packed_as(form):
                losses = contrast.of_each(pairs, noise)
        assert isinstance(losses, list) is (form is None)
        total = torch.stack([*losses]) @ torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
        found.append((torch.stack([*losses]), torch.autograd.grad(total, views, retain_graph=True)[0]))
    torch.testing.assert_close(*found)

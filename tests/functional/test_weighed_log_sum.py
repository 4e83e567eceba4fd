"""FENRec's log sum against the same terms under automatic differentiation."""

from __future__ import annotations

import torch
from torch import Tensor

from seqrec.functional.in_batch.weighed_log_sum import Block, in_one_matrix, weighed_log_sum


def plain(blocks: list[Block], temperature: float, scale: float) -> Tensor:
    columns = []
    for x, margin, log_weight, removed in blocks:
        w = x / temperature * (torch.tanh(x / scale) + margin) + log_weight
        columns.append(w if removed is None else w.masked_fill(removed, -torch.inf))
    return torch.logsumexp(torch.cat(columns, 1), 1)


def test_values_and_gradients_are_the_plain_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    for size in (1.0, 30.0):  # the larger one fills the curve of tanh and has no sum without its greatest term
        drawn = [size * torch.randn(7, n, dtype=torch.float64, generator=generator) for n in (1, 7, 5, 0, 7)]
        removed = torch.rand(7, 7, generator=generator) < 0.4
        products = [x.requires_grad_() for x in drawn]
        rules = [(0.0, 0.0, None), (0.3, 0.0, removed), (0.3, 0.0, None), (0.3, 0.0, None), (0.3, -2.3, removed)]
        blocks = [Block(x, *rule) for x, rule in zip(products, rules, strict=True)]
        weight = torch.linspace(-1, 2, 7, dtype=torch.float64)
        expected = plain(blocks, 0.7, 8.0)
        wanted = torch.autograd.grad((weight * expected).sum(), products)
        for form in (weighed_log_sum, in_one_matrix):
            found = form(blocks, 0.7, 8.0)
            torch.testing.assert_close(found, expected)
            gradients = torch.autograd.grad((weight * found).sum(), products)
            for one, other in zip(gradients, wanted, strict=True):
                torch.testing.assert_close(one, other)
            assert not gradients[1][removed].any()

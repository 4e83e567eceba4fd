"""FENRec's contrast as printed, against its equations written out row by row, and its labels for repeated targets."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from seqrec.data.indices.soft_labels import end_of_window, soft_labels
from seqrec.data.windows import prefixes
from seqrec.functional.in_batch.hard_negatives import hard_products
from seqrec.functional.in_batch.printed_hard_negatives import moving_hard_products, printed_info_nce
from seqrec.methods.contrastive import PrintedContrast
from tests.factories import make_sequences

B, D = 4, 3
TAU_1, TAU_2, MARGIN, MU = 0.8, 3.0, 0.2, 0.1


def drawn(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(*size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def s(a: Tensor, b: Tensor) -> Tensor:
    """Below eq. (13)."""
    return torch.tanh(a @ b / TAU_2)


def hard_negative(anchor: Tensor, other: Tensor, mix_ratio: float) -> Tensor:
    """Eq. (9) and (10)."""
    mixed = mix_ratio * anchor / anchor.norm() + (1 - mix_ratio) * other / other.norm()
    return mixed / mixed.norm() * other.norm()


def row(anchor: Tensor, own: Tensor, others: list[Tensor], mix_ratio: float, mu: float) -> Tensor:
    """Eq. (14) and (15)."""
    of_own = torch.exp(anchor @ own * s(anchor, own) / TAU_1)
    c = of_own + sum(torch.exp((anchor @ n * s(anchor, n) + MARGIN) / TAU_1) for n in others)
    for n in others if mu else []:
        mixed = hard_negative(anchor, n, mix_ratio)
        c = c + mu * torch.exp(anchor @ mixed.detach() * s(anchor, mixed) / TAU_1)
    return -torch.log(of_own / c)


def printed(first: Tensor, second: Tensor, mix_ratio: float, mu: float) -> Tensor:
    """Eq. (16) without alpha: L(h_i, h_i+) + L(h_i+, h_i), the mean over the batch."""
    rows = []
    for i in range(len(first)):
        others = [view[j] for view in (first, second) for j in range(len(first)) if j != i]
        rows += [row(one[i], other[i], others, mix_ratio, mu) for one, other in ((first, second), (second, first))]
    return torch.stack(rows).sum() / len(first)


@pytest.mark.parametrize("mix_ratio", [0.2, 0.5])
@pytest.mark.parametrize("mu", [0.0, MU])
def test_values_and_gradients_are_those_of_the_equations(mix_ratio: float, mu: float) -> None:
    first, second = drawn(B, D).requires_grad_(), drawn(B, D, seed=1).requires_grad_()
    found = printed_info_nce(first, second, first[:0], TAU_1, TAU_2, MARGIN, mix_ratio, mu)
    expected = printed(first, second, mix_ratio, mu) / 2
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    for one, other in zip(
        torch.autograd.grad(found, (first, second)), torch.autograd.grad(expected, (first, second)), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-12)


def test_noise_counts_as_another_row() -> None:
    first, second, noise = drawn(B, D), drawn(B, D, seed=1), drawn(2, D, seed=2)
    both = torch.cat([first, second])
    found = printed_info_nce(first, second, noise, TAU_1, TAU_2, MARGIN, 0.4, 0.0)
    rows = [
        row(both[i], both[(i + B) % (2 * B)], [*(z for j, z in enumerate(both) if (j - i) % B), *noise], 0.4, 0.0)
        for i in range(2 * B)
    ]
    torch.testing.assert_close(found, torch.stack(rows).mean())


def test_moving_products_have_the_values_of_constant_ones() -> None:
    z = drawn(5, D).requires_grad_()
    moving, constant = moving_hard_products(z, 0.3), hard_products(z, 0.3)
    torch.testing.assert_close(moving, constant)
    one, other = (torch.autograd.grad(x.sum(), z)[0] for x in (moving, constant))
    assert not torch.allclose(one, other)


def test_the_warm_up_lacks_the_hard_negatives_alone() -> None:
    first, second, labels = drawn(B, D), drawn(B, D, seed=1), torch.zeros(B)
    contrast = PrintedContrast(TAU_1, 20, 0, 4, 1e-3, TAU_2, MARGIN, 0.4, MU)
    during, after = (contrast.negatives(first, second, labels, epoch) for epoch in (19, 20))
    assert during is None and after is not None and after.shape == (0, D)
    for noise, mu in ((during, 0.0), (after, MU)):  # rows of one label stay negatives
        torch.testing.assert_close(contrast(first, second, labels, noise), printed(first, second, 0.4, mu) / 2)


def test_labels_begin_where_the_window_ends() -> None:
    """Eq. (6) and (7); the released code goes back to the first place of an item that comes again."""
    sequences = make_sequences([[1, 2, 1, 3, 2, 4, 5, 6]], 6)  # the last two are no part of training
    windows = prefixes(sequences, 50, torch.Generator())
    gamma, target = 0.5, sequences.items[windows.stop].tolist()
    assert target == [2, 1, 3, 2, 4]
    printed_items, weights = soft_labels(windows, gamma, start=end_of_window)
    released_items, _ = soft_labels(windows, gamma)
    assert printed_items.tolist() == [[2, 1, 3], [1, 3, 2], [3, 2, 4], [2, 4, 0], [4, 0, 0]]
    assert released_items.tolist() == [[2, 1, 3], [1, 2, 1], [3, 2, 4], [2, 1, 3], [4, 0, 0]]
    total = 1 + gamma + gamma**2
    torch.testing.assert_close(weights[0], torch.tensor([1 / total, gamma / total, gamma**2 / total]))
    assert math.isclose(float(weights[3, 0]), 1 / (1 + gamma), rel_tol=1e-6) and weights[3, 2] == 0

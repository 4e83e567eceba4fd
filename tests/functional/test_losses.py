"""Losses against their plain forms, values and gradients, in float64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.functional import keyed_random, losses
from seqrec.functional.softmax import chunked


def double(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()


@pytest.mark.parametrize("chunk", [1 << 22, 60])
def test_cross_entropy_equals_the_plain_one(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(chunked, "CHUNK_ELEMENTS", chunk)  # 60 elements: two rows at a time, the last part short
    states, classes = double(31, 8), double(29, 8, seed=1)
    target = torch.randint(0, 29, (31,))
    weight = torch.rand(31, dtype=torch.float64)
    ours = losses.cross_entropy(states, classes, target, weight)
    plain = (F.cross_entropy(states @ classes.T, target, reduction="none") * weight).sum()
    torch.testing.assert_close(ours, plain)
    for mine, theirs in zip(
        torch.autograd.grad(3 * ours, [states, classes]),
        torch.autograd.grad(3 * plain, [states, classes]),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


def test_cross_entropy_survives_extreme_scores() -> None:
    states = torch.tensor([[1000.0], [-1000.0]], requires_grad=True)
    classes = torch.tensor([[1.0], [-1.0], [0.0]])
    loss = losses.cross_entropy(states, classes, torch.tensor([1, 0]))
    assert loss.item() == pytest.approx(2000.0)
    loss.backward()
    assert states.grad is not None and torch.isfinite(states.grad).all()


def test_cross_entropy_of_nothing_is_zero() -> None:
    states = double(0, 4)
    loss = losses.cross_entropy(states, double(5, 4), torch.empty(0, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0.0


def test_cross_entropy_under_autocast_multiplies_bfloat16_and_adds_float32() -> None:
    """The loss of operands that are rounded, but for the score of the target, which is not."""
    torch.manual_seed(0)
    states, classes = (torch.randn(n, 16).requires_grad_() for n in (40, 70))
    target, weight = torch.randint(0, 70, (40,)), torch.rand(40)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = losses.cross_entropy(states, classes, target, weight)
    found = torch.autograd.grad(loss, [states, classes])
    assert loss.dtype == found[0].dtype == torch.float32
    rounded = states.bfloat16().double() @ classes.bfloat16().double().T
    of_target = (states.double() * classes.double()[target]).sum(1)
    torch.testing.assert_close(loss.double(), ((rounded.logsumexp(1) - of_target) * weight).sum(), rtol=1e-6, atol=0)
    exact = (F.cross_entropy(states @ classes.T, target, reduction="none") * weight).sum()
    assert loss != exact
    for mine, theirs in zip(found, torch.autograd.grad(exact, [states, classes]), strict=True):
        assert (mine - theirs).norm() < 1e-2 * theirs.norm()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_cross_entropy_of_half_precision_states_is_that_of_their_values_in_float32(dtype: torch.dtype) -> None:
    """Without autocast, and under that of float16, whose range would lose the small factors of the gradient."""
    states, classes, target = torch.randn(9, 4).to(dtype), torch.randn(7, 4), torch.randint(0, 7, (9,))
    plain = F.cross_entropy(states.float() @ classes.T, target)
    torch.testing.assert_close(losses.cross_entropy(states, classes, target), plain)
    with torch.autocast("cpu", dtype=torch.float16):
        torch.testing.assert_close(losses.cross_entropy(states, classes, target), plain)


@pytest.mark.parametrize("padding_class", [True, False])
def test_next_item_classes(padding_class: bool) -> None:
    states, table = double(10, 4), double(9, 4, seed=1)
    target = torch.randint(1, 8, (10,))
    ours = losses.next_item(states, target, table, torch.zeros(10, dtype=torch.long), padding_class)
    logits = states @ table[:8].T
    if not padding_class:
        logits = logits[:, 1:]
    torch.testing.assert_close(ours, F.cross_entropy(logits, target - int(not padding_class)))


def test_sampled_losses_against_their_definitions() -> None:
    positive, negative = double(6), double(6, 3, seed=1)
    sigmoid = torch.sigmoid
    bce = -sigmoid(positive).log().mean() - (1 - sigmoid(negative)).log().mean()
    torch.testing.assert_close(losses.bce(positive, negative), bce)
    bpr = -(1e-10 + sigmoid(positive[:, None] - negative)).log().mean()
    torch.testing.assert_close(losses.bpr(positive, negative), bpr)
    both = torch.cat([positive[:, None], negative], dim=1)
    torch.testing.assert_close(
        losses.sampled_softmax(positive, negative), F.cross_entropy(both, torch.zeros(6, dtype=torch.long))
    )


@pytest.mark.parametrize("calibration", [0.0, 0.75, 1.0])
def test_gbce_is_bce_of_the_transformed_positive(calibration: float) -> None:
    """The reference transforms the positive probability to its power beta before a plain BCE over K + 1 scores."""
    positive, negative = double(6), double(6, 3, seed=1)
    alpha = 3 / (50 - 1)
    beta = alpha * (calibration * (1 - 1 / alpha) + 1 / alpha)
    probability = torch.sigmoid(positive) ** beta
    both = torch.cat([probability.log()[:, None], (1 - torch.sigmoid(negative)).log()], dim=1)
    torch.testing.assert_close(losses.gbce(positive, negative, 50, calibration), -both.mean())
    if calibration == 0.0:
        assert beta == pytest.approx(1.0)


def test_sampled_negatives_are_uniform_over_all_other_items() -> None:
    table = torch.arange(12.0)[:, None]  # ten items whose vector is their id
    target = torch.full((20000,), 4)
    keys = keyed_random.rng_keys(0, 0, torch.arange(20000), 0)
    seen = {}

    def keep(positive: Tensor, negative: Tensor) -> Tensor:
        seen["positive"], seen["negative"] = positive, negative
        return positive.sum() * 0

    losses.sampled(torch.ones(20000, 1), target, table, keys, keep, num_negatives=2)
    counts = torch.bincount(seen["negative"].long().flatten(), minlength=12)
    assert (seen["positive"] == 4).all()
    assert counts[[0, 4, 11]].tolist() == [0, 0, 0]
    expected = 40000 / 9
    others = counts[[1, 2, 3, 5, 6, 7, 8, 9, 10]].float()
    assert ((others - expected) ** 2 / expected).sum() < 30  # chi-square, 8 degrees of freedom, p ~ 2e-4


def test_sparse_gradient_of_sampled_losses_equals_the_dense_one() -> None:
    table = torch.randn(40, 3, dtype=torch.float64, requires_grad=True)
    states = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
    target, keys = torch.randint(1, 39, (7,)), keyed_random.rng_keys(0, 0, torch.arange(7), 0)
    dense, sparse = (
        torch.autograd.grad(losses.sampled_gbce(states, target, table, keys, 2, 0.75, sparse), [states, table])
        for sparse in (False, True)
    )
    assert sparse[1].is_sparse and len(sparse[1].coalesce().values()) < 7 * 3 + 1
    torch.testing.assert_close(sparse[0], dense[0])
    torch.testing.assert_close(sparse[1].to_dense(), dense[1])

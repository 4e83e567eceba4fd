"""MVS: the frozen model, its soft contexts, and definitions of its losses."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from seqrec.backbones.transformer import Transformer
from seqrec.data.batch import Batch
from seqrec.methods.mvs import MVS
from seqrec.methods.mvs.smoothness import adversarial_noise, clamped_noise, smoothness, symmetric_kl
from seqrec.nn.attention import DotProductAttention

ITEMS, LENGTH = 12, 6


def transformer(dim: int = 8, positions: str = "from_newest", dropout: float = 0.5) -> Transformer:
    return Transformer(ITEMS, LENGTH, dim, 2, 2, 16, dropout, dropout, DotProductAttention, True, positions)  # type: ignore[arg-type]


def build(complementary: Transformer) -> MVS:
    torch.manual_seed(0)
    adam = partial(torch.optim.Adam, lr=0.01)
    return MVS(transformer(dropout=0.0), adam, complementary, 0.1, 0.01, 0.1, 0.02, 0.1).double()


def batch() -> Batch:
    items = torch.tensor([[3, 4, 5, 6, 7, 8], [1, 2, 0, 0, 0, 0], [9, 0, 0, 0, 0, 0]])
    row = torch.arange(3)
    return Batch(row, row, items, row + 1, (items % ITEMS + 1) * (items != 0))


def test_the_complementary_model_stays_as_it_is() -> None:
    model = build(transformer()).train()
    before = {name: value.clone() for name, value in model.complementary.state_dict().items()}
    optimizer = model.configure_optimizers()[0]
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = model.training_step(batch(), 0)
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
        assert not model.complementary.training and model.backbone.training
    assert all(torch.equal(value, before[name]) for name, value in model.complementary.state_dict().items())
    assert losses[-1] < 0.8 * losses[0]


def test_soft_positions_are_all_but_the_first_column_and_ignore_batch_mates() -> None:
    model, whole = build(transformer()), batch()
    complement = model.complement(whole.items)
    expected = whole.items != 0
    expected[0, 0] = False  # a full row keeps its oldest item
    assert torch.equal(complement.soft.mask, expected)
    torch.testing.assert_close(complement.expected.sum(1), torch.ones(8, dtype=torch.float64))
    alone = model.complement(whole.items[1:2, :2])
    torch.testing.assert_close(alone.states, complement.states[1:2, :2])
    torch.testing.assert_close(alone.expected, complement.expected[5:7])


def test_the_adversarial_step_follows_the_gradient_of_the_whole_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    table, noise, gradient = (
        torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((14, 8), (5, 14), (5, 8))
    )
    noise = clamped_noise(noise, 0.02)
    assert noise.abs().max() == 0.02
    dense = gradient @ table.T
    expected = (noise + 0.1 * dense / dense.norm()).clamp(-0.02, 0.02)
    torch.testing.assert_close(adversarial_noise(noise.clone(), gradient, table, 0.1, 0.02), expected)
    still = adversarial_noise(noise.clone(), torch.zeros_like(gradient), table, 0.1, 0.02)
    assert torch.equal(still, noise), "no gradient, no step"


def test_chunks_and_definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    clean, label, first, second = torch.randn(4, 7, 8, generator=generator, dtype=torch.float64)
    table = torch.randn(14, 8, generator=generator, dtype=torch.float64)
    target = torch.arange(7)
    whole = smoothness(clean, label, first, second, table, target)
    monkeypatch.setattr("seqrec.methods.mvs.smoothness.CHUNK_ELEMENTS", 3 * 14)
    torch.testing.assert_close(tuple(smoothness(clean, label, first, second, table, target)), tuple(whole))
    logs = [F.log_softmax(states @ table.T, 1) for states in (clean, first)]
    divergence = [F.kl_div(logs[i], logs[1 - i], reduction="sum", log_target=True) for i in (0, 1)]
    torch.testing.assert_close(whole.kl_first, sum(divergence) / 14)
    torch.testing.assert_close(symmetric_kl(clean, clean + 3.0), torch.zeros((), dtype=torch.float64))
    torch.testing.assert_close(whole.ce_second, F.cross_entropy(second @ table.T, target))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="positions=from_newest"):
        build(transformer(positions="from_oldest"))
    with pytest.raises(ValueError, match="dim=16 and the model dim=8"):
        build(transformer(dim=16))

"""The trunk: a state is the same whether all states of the batch are made or those asked for alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch

from seqrec.backbones.transformer import Transformer
from seqrec.functional.pooling import newest
from seqrec.methods.easnrec import blocks, uncertainty
from seqrec.methods.easnrec.memory import ExternalMemory, first_reads
from seqrec.methods.easnrec.uncertainty import UncertaintyAttention
from seqrec.nn import packing
from seqrec.nn.attention import AttentionKernel, DotProductAttention

KERNELS: dict[str, AttentionKernel] = {
    "dot_product": DotProductAttention,
    "uncertainty": partial(UncertaintyAttention, noise_std=0.01),
}
LENGTHS = [3, 12, 1, 7, 12, 2, 9]


def transformer(attention: AttentionKernel, causal: bool, **options: Any) -> Transformer:
    torch.manual_seed(0)
    return Transformer(
        30, 12, dim=8, num_layers=2, num_heads=2, ffn_dim=16, dropout=0.0, attention_dropout=0.0,
        attention=attention, causal=causal, **options,
    ).double()  # fmt: skip


def histories(lengths: list[int] = LENGTHS) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    items = torch.randint(1, 31, (len(lengths), 12), generator=generator)
    return items.masked_fill(torch.arange(12) >= torch.tensor(lengths)[:, None], 0)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_newest_state_alone(kernel: str, causal: bool, training: bool) -> None:
    if kernel == "uncertainty" and training:
        pytest.skip("its noise differs from call to call")
    model, items = transformer(KERNELS[kernel], causal).train(training), histories()
    expected = model(items)[torch.arange(len(items)), torch.tensor(LENGTHS) - 1]
    actual = model.newest(items)
    torch.testing.assert_close(actual, expected)
    same_gradients(model, actual, expected)


@pytest.mark.parametrize("lengths", [LENGTHS, [12, 12, 12]], ids=["padded", "full"])
def test_states_at_chosen_positions(lengths: list[int]) -> None:
    model, items = transformer(DotProductAttention, True), histories(lengths)
    chosen = (items != 0) & (torch.rand(items.shape, generator=torch.Generator().manual_seed(2)) < 0.6)
    expected, actual = model(items)[chosen], model.at(items, chosen)
    torch.testing.assert_close(actual, expected)
    same_gradients(model, actual, expected)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("memory", [None, partial(ExternalMemory, num_slots=4, dropout=0.0)], ids=["plain", "memory"])
@pytest.mark.parametrize("lengths", [LENGTHS, [12, 12, 12]], ids=["padded", "full"])
def test_states_of_the_newest_items(
    kernel: str, memory: Any, lengths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 5)
    monkeypatch.setattr(uncertainty, "WIDE", 4)
    monkeypatch.setattr(packing, "WIDE", 4)
    monkeypatch.setattr(UncertaintyAttention, "noise", lambda self, like: torch.sin(37.0 * like).detach())
    model, items = transformer(KERNELS[kernel], True, memory=memory), histories(lengths)
    expected, _ = newest(model(items), items != 0, 5)
    actual = model.recent(items, 5)
    torch.testing.assert_close(actual, expected)
    same_gradients(model, actual, expected)


def test_the_last_layer_works_on_the_newest_items_alone() -> None:
    model, seen = transformer(DotProductAttention, True), []
    model.trunk.layers[-1].ffn_in.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    model.recent(histories(), 2)
    assert seen == [sum(min(length, 2) for length in LENGTHS)]


@pytest.mark.parametrize("causal", [True, False])
def test_attention_that_may_drop_weights(causal: bool) -> None:
    """One in a thousand rounds to none of 256, so that nothing is dropped on the way on which weights can be."""
    model, items = transformer(DotProductAttention, causal), histories()
    expected = model(items)
    for layer in model.trunk.layers:
        layer.attention.dropout = 0.001
    actual = model(items)
    torch.testing.assert_close(actual, expected)
    same_gradients(model, actual, expected)


def same_gradients(model: Transformer, actual: torch.Tensor, expected: torch.Tensor) -> None:
    """Gradients of a random weighting of both with regard to all parameters."""
    weight = torch.randn_like(actual)
    names, parameters = zip(*model.named_parameters(), strict=True)
    wanted, got = (
        torch.autograd.grad((x * weight).sum(), parameters, materialize_grads=True) for x in (expected, actual)
    )
    for name, a, b in zip(names, got, wanted, strict=True):
        torch.testing.assert_close(a, b, msg=lambda text, name=name: f"{name}: {text}")  # type: ignore[misc]


def test_a_memory_is_read_with_all_states_in_training() -> None:
    model = transformer(DotProductAttention, True, memory=partial(ExternalMemory, num_slots=4, dropout=0.0))
    memory = model.trunk.memory
    assert isinstance(memory, ExternalMemory)
    with first_reads(model) as seen:
        model.newest(histories())
    assert len(seen[memory].states) == sum(LENGTHS)

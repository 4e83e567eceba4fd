"""What is special to EASNRec: its variants, its memories, its noise."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import pytest
import torch

from seqrec.functional import augment_states
from seqrec.functional.pooling import printed_mean
from seqrec.methods.easnrec import uncertainty
from seqrec.methods.easnrec.memory import first_reads, written
from seqrec.methods.easnrec.positives import AugmentedEmbeddings, SecondPass
from seqrec.methods.easnrec.similarity import generator_states
from seqrec.methods.easnrec.uncertainty import UncertaintyAttention
from seqrec.nn.attention import DotProductAttention
from seqrec.nn.packing import Packing
from tests.methods.small import trainer
from tests.methods.small_easnrec import (
    BATCHES,
    DIM,
    DYNAMIC,
    MEMORY,
    OF_ITEMS,
    build,
    loader,
    moved,
    of_states,
    offline,
    random_batch,
    weights,
)

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "own_discriminator": {"own_discriminator": True},
    "no_siamese": {"network": None},
    "no_uncertainty": {"attention": DotProductAttention},
    "no_memory": {"memory": None},
    "no_uamm": {"attention": DotProductAttention, "memory": None},
    "cnn": {"network": "cnn"},
    "transformer": {"network": "transformer"},
    "lstm": {"network": "lstm"},
    "dropout": {"contrast": of_states(partial(augment_states.dropout, probability=0.2))},
    "perturbation": {"contrast": of_states(partial(augment_states.perturbation, magnitude=0.1))},
    "mask": {"contrast": of_states(partial(augment_states.mask, ratio=0.4))},
    "dsa": {"contrast": OF_ITEMS},
    "content": {"memory": partial(MEMORY, addressing="content", slot_dim=7, write_norm="token_softmax")},
    "concat": {"memory": partial(MEMORY, fusion="concat", write_norm="sum")},
    "second_pass": {"contrast": of_states(DYNAMIC, positive=SecondPass())},
    "augmented_embeddings": {"contrast": of_states(DYNAMIC, positive=AugmentedEmbeddings())},
    "learned_everywhere": {"memory": partial(MEMORY, slots="learned"), "memory_layers": "every"},
    "generator_states": {"generated_states": generator_states, "pool": printed_mean},
}


@pytest.mark.parametrize("adversarial", ["simultaneous", "alternating"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_of_every_variant_learns(variant: str, adversarial: str) -> None:
    model = build(adversarial, **VARIANTS[variant])
    before = weights(model)
    trainer().fit(model, loader())
    still = before.keys() - moved(model, before)
    assert not still, f"{variant}: {sorted(still)} did not move"
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_memory_is_written_in_training_only_and_once_a_step() -> None:
    model = build(dropout=0.0)
    memory: Any = model.backbone.trunk.memory
    start = memory.memory.clone()
    model.eval()
    model.query(BATCHES[0].histories)
    assert torch.equal(memory.memory, start) and memory.pending is None
    offline(model)
    model.query(BATCHES[0].histories)  # a pass outside of a step
    assert memory.pending is None
    model.training_step(BATCHES[0], 0)
    tokens = int((BATCHES[0].items != 0).sum())
    assert torch.equal(memory.memory, start) and memory.pending.shape == (tokens, DIM)  # type: ignore[attr-defined]
    assert model.generator.memory.pending.shape == (tokens, DIM)
    model.training_step(BATCHES[1], 1)
    assert not torch.equal(memory.memory, start)
    copied = copy.deepcopy(memory)  # no graph is left behind
    before = memory.memory.clone()
    copied.settle()
    assert copied.pending is None and not torch.equal(copied.memory, before)
    copied.settle()  # nothing is left to finish
    stored = model.state_dict()["backbone.trunk.memory.memory"]
    model.on_save_checkpoint({})
    assert memory.pending is None and torch.equal(stored, copied.memory)


def test_neither_modes_nor_state_dicts_write() -> None:
    memory = build().backbone.trunk.memory
    memory.remember(torch.randn(4, DIM))
    before = memory.memory.clone()
    memory.eval()
    assert torch.equal(memory.state_dict()["memory"], before) and memory.pending is not None


def test_evaluation_and_the_end_of_an_epoch_finish_the_write() -> None:
    model = offline(build())
    model.lr_schedulers = lambda: None  # type: ignore[method-assign]
    for hook in (model.on_validation_start, model.on_train_epoch_end):
        model.training_step(BATCHES[0], 0)
        before = model.backbone.trunk.memory.memory.clone()
        hook()
        assert model.backbone.trunk.memory.pending is None and model.generator.memory.pending is None
        assert not torch.equal(model.backbone.trunk.memory.memory, before)


def test_read_only_passes_use_the_memory_of_the_first_pass() -> None:
    trunk: Any = build().backbone.trunk.train()
    memory = trunk.memory
    memory.remember(torch.randn(4, DIM))
    x, other = torch.randn(3, DIM), torch.randn(2, DIM)
    memory.fusion.dropout.p = 0.0
    with written(trunk), first_reads(trunk) as seen:
        torch.testing.assert_close(memory(x), memory(x))
        memory(other)
    assert list(seen) == [memory] and torch.equal(seen[memory].states, x)


def test_a_delayed_write_gives_gradient_to_the_write_weights() -> None:
    model = offline(build())
    names = [
        f"{player}.{w}"
        for player in ("backbone.trunk.memory", "generator.memory")
        for w in ("w_w", "w_u", "w_r", "w_c")
    ]
    before = weights(model)
    model.training_step(BATCHES[0], 0)
    assert not moved(model, before) & set(names)
    model.training_step(BATCHES[1], 1)
    assert set(names) <= moved(model, before)


def test_evaluation_is_deterministic_and_keeps_both_branches() -> None:
    model = build(dropout=0.5).eval()
    torch.testing.assert_close(model.query(BATCHES[0].histories), model.query(BATCHES[0].histories), rtol=0, atol=0)
    for causal in (True, False):
        kernel = UncertaintyAttention(DIM, 2, 0.0, causal, noise_std=0.0)
        valid = BATCHES[0].items != 0
        packing = Packing(valid)
        tokens = torch.randn(int(valid.sum()), DIM)
        training, evaluation = kernel.train()(tokens, packing), kernel.eval()(tokens, packing)
        torch.testing.assert_close(training, evaluation)
    plain = DotProductAttention(DIM, 2, 0.0, True)
    kernel = UncertaintyAttention(DIM, 2, 0.0, True, noise_std=0.0).eval()
    with torch.no_grad():
        kernel.projection.weight[3 * DIM :] = 0.0
        plain.projection.weight.copy_(kernel.projection.weight[: 3 * DIM])
        plain.projection.bias.copy_(kernel.projection.bias[: 3 * DIM])
        kernel.projection.bias[3 * DIM :] = 0.0
    torch.testing.assert_close(kernel(tokens, packing), 2 * plain(tokens, packing))


def test_noise_has_its_standard_deviation_and_differs_between_passes() -> None:
    kernel = UncertaintyAttention(DIM, 2, 0.0, True, noise_std=0.01)
    drawn = kernel.noise(torch.zeros(20, 2, 50, DIM))
    assert abs(drawn.std().item() - 0.01) < 5e-4
    assert not torch.equal(drawn, kernel.noise(drawn))


@pytest.mark.parametrize("network", ["fc", "cnn", "transformer", "lstm"])
def test_siamese_networks_ignore_padding(network: str) -> None:
    model: Any = build(network=network).eval()
    batch = random_batch(list(range(6)), longest=6)
    valid = batch.items != 0
    states = torch.randn(6, 6, DIM) * valid[..., None]
    wider = torch.nn.functional.pad(states, (0, 0, 0, 3))
    torch.testing.assert_close(
        model.siamese(states, valid, model.pool),
        model.siamese(wider, torch.nn.functional.pad(valid, (0, 3)), model.pool),
    )


@pytest.mark.parametrize("adversarial", ["simultaneous", "alternating"])
def test_no_pass_is_made_for_a_missing_siamese_network(adversarial: str) -> None:
    passes = {}
    for network in ("fc", None):
        model = offline(build(adversarial, network=network))
        made: list[object] = []
        model.backbone.trunk.register_forward_hook(lambda *_, made=made: made.append(None))
        model.training_step(BATCHES[0], 0)
        passes[network] = len(made)
    assert passes == ({"fc": 3, None: 2} if adversarial == "simultaneous" else {"fc": 6, None: 3})


@pytest.mark.parametrize("adversarial", ["simultaneous", "alternating"])
@pytest.mark.parametrize("wide", [64, 1], ids=["whole", "in blocks"])
def test_bfloat16_trains_and_keeps_the_memory_in_float32(
    adversarial: str, wide: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uncertainty, "WIDE", wide)
    model = build(adversarial)
    trainer(precision="bf16-mixed").fit(model, loader())
    assert model.backbone.trunk.memory.memory.dtype == torch.float32
    assert all(torch.isfinite(p).all() for p in model.parameters())


@pytest.mark.parametrize("option", ["addressing", "fusion", "write_norm"])
def test_unknown_memory_choices_name_the_valid_ones(option: str) -> None:
    with pytest.raises(ValueError, match=f"{option} is 'typo'; choose one of"):
        MEMORY(DIM, **{option: "typo"})  # type: ignore[arg-type]

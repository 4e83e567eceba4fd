"""The whole of EASNRec against its golden file, a plain transcription of equations (2)-(28)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from seqrec.methods.easnrec.contrast import StateContrast
from seqrec.nn.chosen import Chosen
from seqrec.nn.packing import Packing
from tests.parity.easnrec_golden import (
    feed,
    full_batch,
    full_model,
    given_augmentation,
    packed_noise,
    trunk_gradient,
)
from tests.parity.golden import Golden


@pytest.fixture
def reference(golden: Callable[[str], Golden]) -> Golden:
    return golden("easnrec")


def test_full_evaluation(reference: Golden, to_right: Callable) -> None:
    model, batch = full_model(reference).eval(), full_batch(reference, to_right)
    with torch.no_grad():
        user = model.query(batch.histories)
        reference.check("out/full_user_vector", user)
        reference.check("out/full_scores", user @ model.backbone.item_embedding.weight[:-1].T)


@pytest.fixture
def step(reference: Golden, to_right: Callable, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """One simultaneous training step on the golden noise, masks and draws; the weights stay."""
    sizes, left = reference.meta["hparams"], reference["in/item_seq"]
    given = partial(given_augmentation, reference, to_right)
    contrast = StateContrast(window=sizes["k"], temperature=sizes["tau"], augment=given)
    model: Any = full_model(reference, contrast).train()
    batch = full_batch(reference, to_right)
    packing = Packing(batch.items != 0)
    for trunk, passes in (
        (model.backbone.trunk, ("encoder", "discriminator", "siamese")),
        (model.generator, ("generator",)),
    ):
        for i, layer in enumerate(trunk.layers):
            noises = [reference[f"in/full_noise_{name}"][i] for name in passes]
            feed(layer.attention, [packed_noise(noise, left, to_right, packing) for noise in noises], packing)
    resting = SimpleNamespace(step=lambda: None, zero_grad=lambda: None)
    monkeypatch.setattr(model, "optimizers", lambda: [resting] * len(model.players()))
    monkeypatch.setattr(model, "manual_backward", lambda loss: loss.backward())
    seen: dict[str, list[Tensor]] = {}

    def watch(name: str, function: Callable) -> Callable:
        def called(*arguments: Any) -> Any:
            result = function(*arguments)
            seen.setdefault(name, []).append(result)
            return result

        return called

    for name in ("generate", "verdict", "similarity"):
        monkeypatch.setattr(model, name, watch(name, getattr(model, name)))
    for name, module in (
        ("trm", model.backbone.trunk.layers[-1]),
        ("encoder", model.backbone.trunk),
        ("generator", model.generator),
    ):
        module.register_forward_hook(lambda module, inputs, output, name=name: seen.setdefault(name, []).append(output))
    terms = model.simultaneous_step(batch, Chosen(to_right(reference["in/gen_mask"], left)), batch.row)
    return SimpleNamespace(model=model, batch=batch, packing=packing, terms=terms, seen=seen)


def test_full_states_and_outputs(reference: Golden, step: SimpleNamespace, to_left: Callable) -> None:
    left, seen = reference["in/item_seq"], step.seen
    where = left != 0
    reference.check("out/full_encoder_trm", to_left(step.packing.unpack(seen["trm"][0]), left), where)
    reference.check("out/full_encoder_hidden", to_left(seen["encoder"][0], left), where)
    reference.check("out/full_generator_hidden", to_left(seen["generator"][0], left), where)
    reference.check("out/full_generated_seq", to_left(seen["generate"][0][0].items, left))
    reference.check("out/full_disc_logit", to_left(seen["verdict"][0], left), where)
    reference.check("out/full_sim", seen["similarity"][0])


def test_full_losses(reference: Golden, step: SimpleNamespace) -> None:
    terms = step.terms
    reference.check("out/full_loss_rec", terms.recommendation)
    reference.check("out/full_loss_con", terms.contrast)
    reference.check("out/full_loss_gen", terms.generator)
    reference.check("out/full_loss_disc", terms.discriminator)
    reference.check("out/full_loss_total", step.model.total(terms))


def test_full_memories_after_the_write(reference: Golden, step: SimpleNamespace) -> None:
    step.model.on_validation_start()
    reference.check("out/full_memory_new_encoder", step.model.backbone.trunk.memory.memory)
    reference.check("out/full_memory_new_generator", step.model.generator.memory.memory)


def test_full_gradients(reference: Golden, step: SimpleNamespace) -> None:
    model = step.model
    compared = reference.group("grad/full.")
    assert compared
    for name in compared:
        if name.startswith(("encoder.", "generator.")):
            player, inner = name.split(".", 1)
            trunk = model.backbone.trunk if player == "encoder" else model.generator
            gradient = trunk_gradient(trunk, inner)
        elif name.startswith("item_embedding."):
            gradient = model.backbone.item_embedding.weight.grad
        else:
            gradient = model.get_parameter(name.replace("disc_head.", "head.")).grad
        reference.check(f"grad/full.{name}", gradient)

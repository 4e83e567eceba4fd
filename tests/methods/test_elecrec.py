"""What is special to ELECRec: what its networks share, its draws, its two treatments of padding, its turns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from seqrec.backbones.transformer import Transformer
from seqrec.functional.generation import draw
from seqrec.methods.elecrec import ELECRec
from seqrec.nn.attention import DotProductAttention
from seqrec.nn.trunk import TransformerTrunk
from tests.methods.small_easnrec import ADAM, BATCHES, DIM, ITEMS, LENGTH, moved, offline, weights

SHARED = {
    "full": ("backbone.item_embedding", "backbone.trunk.position", "backbone.trunk.layers"),
    "embed_only": ("backbone.item_embedding", "backbone.trunk.position"),
}


def build(sharing: Any = "full", adversarial: Any = "simultaneous", **changes: Any) -> ELECRec:
    torch.manual_seed(0)
    rest = (2, 2, 32, 0.0, 0.0, DotProductAttention)
    options: dict[str, Any] = {
        "padding_learns": True,
        "shared_lr_multiplier": 1.0,
        "sample_ratio": 0.5,
        "power": 1.0,
        "generator_weight": 1.0,
        "discriminator_weight": 0.5,
        "optimizer": ADAM,
    }
    return ELECRec(
        Transformer(ITEMS, LENGTH, DIM, *rest, positions="from_newest"),
        generator=TransformerTrunk(DIM, LENGTH, *rest, causal=True, positions="from_newest"),
        adversarial=adversarial,
        sharing=sharing,
        **(options | changes),
    )


def gradients(model: ELECRec, loss: Tensor) -> set[str]:
    """Names of the parameters that a loss reaches."""
    named = dict(model.named_parameters())
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return {name for name, gradient in zip(named, found, strict=True) if gradient is not None and gradient.any()}


@pytest.mark.parametrize("padding_learns", [True, False])
@pytest.mark.parametrize("sharing", list(SHARED))
def test_each_loss_reaches_its_network_and_what_is_shared(sharing: str, padding_learns: bool) -> None:
    model = offline(build(sharing, padding_learns=padding_learns))
    names = {name for name, _ in model.named_parameters()}
    shared = {name for name in names if name.startswith(SHARED[sharing])}
    generator = {name for name in names if name.startswith("generator.")}
    task = model.inputs(BATCHES[0])
    states = model.generator_states(task)
    assert gradients(model, model.generator_loss(states, task)) == shared | generator
    assert gradients(model, model.detection_loss(model.generate(states, task), task)) == names - generator


def test_what_is_shared_learns_at_its_own_rate() -> None:
    distances = []
    for multiplier in (1.0, 2.0):
        model = build(shared_lr_multiplier=multiplier, optimizer=partial(torch.optim.SGD, lr=0.1))
        optimizers = [model.build_optimizer(group) for group in model.parameter_groups()]
        offline(model).optimizers = lambda built=optimizers: built  # type: ignore[method-assign]
        before = weights(model)
        model.training_step(BATCHES[0], 0)
        distances.append({name: p.detach() - before[name] for name, p in model.named_parameters()})
    for name, distance in distances[1].items():
        times = 2 if name.startswith(SHARED["full"]) else 1
        torch.testing.assert_close(distance, times * distances[0][name], rtol=1e-4, atol=1e-6)


def test_players_that_step_together_are_one_optimizer() -> None:
    ours, theirs = build(), build()
    optimizers = [ours.build_optimizer(group) for group in ours.parameter_groups()]
    one = torch.optim.Adam(theirs.parameters(), lr=1e-2)
    offline(ours).optimizers = lambda: optimizers  # type: ignore[method-assign, assignment]
    for batch in BATCHES:
        ours.training_step(batch, 0)
        task = theirs.train().inputs(batch)
        states = theirs.generator_states(task)
        made = theirs.generate(states, task)
        one.zero_grad()
        (theirs.generator_loss(states, task) + 0.5 * theirs.detection_loss(made, task)).backward()
        one.step()
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q, msg=name)


def test_turns_move_their_network_and_what_is_shared() -> None:
    model = offline(build("embed_only", "alternating"))
    names = set(weights(model))
    found: list[set[str]] = []
    for optimizer in model.optimizers():
        optimizer.step = partial(note_moved, model, optimizer.step, found)  # type: ignore[method-assign]
    model.training_step(BATCHES[0], 0)
    generator = {name for name in names if name.startswith("generator.")}
    shared = {name for name in names if name.startswith(SHARED["embed_only"])}
    assert found[0] | found[1] == generator | shared
    assert found[2] | found[3] == names - generator


def note_moved(model: ELECRec, step: Callable[[], None], found: list[set[str]]) -> None:
    """Step, and append the names of the parameters that it moved."""
    before = weights(model)
    step()
    found.append(moved(model, before))


@pytest.mark.parametrize("padding_learns", [True, False])
def test_without_draws_every_item_is_true(padding_learns: bool) -> None:
    model = offline(build(sample_ratio=0.0, padding_learns=padding_learns))
    task = model.inputs(BATCHES[0])
    made = model.generate(model.generator_states(task), task)
    assert torch.equal(made, task.next_items)
    with torch.no_grad():
        before = model.detection_loss(made, task)
        model.head.bias.add_(5.0)
        assert model.detection_loss(made, task) < before


def test_draws_stand_where_asked_for_and_a_lucky_one_is_true() -> None:
    model = offline(build(sample_ratio=1.0, padding_learns=False))
    task = model.inputs(BATCHES[0])
    states = model.generator_states(task)
    truth = task.next_items
    assert torch.equal(task.drawn, truth != 0)
    model.power = 1e4  # the likeliest item
    made = model.generate(states, task)
    best = 1 + (states @ model.backbone.item_matrix.T).argmax(-1)
    assert torch.equal(made, best * (truth != 0))
    lucky = task._replace(next_items=made)
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.fill_(20.0)
        assert model.detection_loss(made, lucky) < 1e-6
        assert model.detection_loss(made, task) > 10


@pytest.mark.parametrize("power", [1.0, 4.4])
def test_draws_follow_the_powered_softmax(power: float) -> None:
    generator = torch.Generator().manual_seed(1)
    state, classes = torch.randn(1, 8, generator=generator), torch.randn(12, 8, generator=generator) / 3
    uniform = torch.rand(40000, generator=generator)
    found = torch.bincount(draw(state.expand(40000, -1), classes, uniform, power), minlength=12) / 40000
    expected = torch.softmax(state @ classes.T, 1)[0] ** power
    torch.testing.assert_close(found, expected / expected.sum(), rtol=0, atol=0.01)


@pytest.mark.parametrize("padding_learns", [True, False])
def test_terms_do_not_depend_on_how_far_a_batch_is_padded(padding_learns: bool) -> None:
    model = offline(build(padding_learns=padding_learns))
    batch = BATCHES[0]
    longest = int((batch.items != 0).sum(1).max())
    found = []
    for columns in (longest, LENGTH):
        items, next_items = batch.items[:, :columns], batch.next_items[:, :columns]
        task = model.inputs(batch._replace(items=items, next_items=next_items))
        assert torch.equal(task.next_items[task.next_items != 0], next_items[next_items != 0])
        states = model.generator_states(task)
        made = model.generate(states, task)
        found.append((model.generator_loss(states, task), model.detection_loss(made, task)))
    torch.testing.assert_close(*found)


@pytest.mark.parametrize(("option", "value"), [("sharing", "none"), ("adversarial", "joint"), ("sample_ratio", 1.5)])
def test_impossible_options_are_named(option: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{option} is '?{value}'?;"):
        build(**{option: value})

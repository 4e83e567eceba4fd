"""ECL-SR where more items are hidden than its generator fills in: a second derivation of the released procedure.

It draws the masks in loops, as lists whose last P entries are used, and computes the networks on whole left-padded
windows with -10000 added to the scores of hidden keys. All values and all gradients are compared.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.backbones.transformer import Transformer
from seqrec.data.batch import Batch
from seqrec.functional.cloze import newest, sampled
from seqrec.methods.ecl_sr import ECLSR
from seqrec.nn.attention import DotProductAttention
from seqrec.nn.trunk import TransformerTrunk
from tests.factories import record_terms

ITEMS, WIDTH, DIM, HEADS, NEWEST, TEMPERATURE = 23, 15, 8, 2, 4, 0.05
WEIGHTS = {"recommendation": 1.0, "contrast": 0.3, "discriminator": 0.5, "generator": 0.2}
LENGTHS = (15, 15, 15, 15, 9, 2, 15)

Draw = Callable[[list[int], float, random.Random], list[int]]


def sample(window: list[int], ratio: float, chance: random.Random) -> list[int]:
    """``floor(r n + 1)`` of n items, but never the first, in the order in which they are drawn."""
    length = sum(item != 0 for item in window)
    return chance.sample(range(len(window) - length + 1, len(window)), min(int(ratio * length + 1), length - 1))


def probable(window: list[int], ratio: float, chance: random.Random) -> list[int]:
    """Each item from old to new with probability r, never column 0, up to ``r W + 1`` of them; if none, the newest."""
    found: list[int] = []
    for column, item in enumerate(window):
        if item and column and len(found) < ratio * len(window) + 1 and chance.random() < ratio:
            found.append(column)
    return found or [len(window) - 1]


def released_masks(windows: Tensor, ratio: float, draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
    """Windows with the mask id, and true items and columns of what is used, ``(B, P)``, filled up in front with 0.

    Of the first seed with which several windows have more masks than are used.
    """
    drawn = (masks_of_seed(windows, ratio, draw, seed) for seed in range(1000))
    return next(made for made in drawn if (made[0] == ITEMS + 1).sum(1).gt(made[1].shape[1]).sum() > 1)


def masks_of_seed(windows: Tensor, ratio: float, draw: Draw, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """See :func:`released_masks`."""
    chance, most = random.Random(seed), int(ratio * windows.shape[1])
    masked, labels, columns = windows.clone(), [], []
    for row, window in enumerate(windows.tolist()):
        drawn = draw(window, ratio, chance)
        masked[row, drawn] = ITEMS + 1
        used = ([-1] * (most - len(drawn)) + drawn)[-most:]
        labels.append([window[column] if column >= 0 else 0 for column in used])
        columns.append([max(column, 0) for column in used])
    return masked, torch.tensor(labels), torch.tensor(columns)


def trunk_states(trunk: TransformerTrunk, x: Tensor, keys: Tensor, causal: bool) -> Tensor:
    """States ``(B, W, D)`` of whole windows; scores are float32 where -10000 is added, as released."""
    width = x.shape[1]
    visible = keys[:, None, :].expand(-1, width, -1)
    if causal:
        visible = visible & torch.ones(width, width, dtype=torch.bool).tril()
    lowered = torch.where(visible, 0.0, -10000.0)[:, None]
    tokens = F.layer_norm(x + trunk.position.weight, (DIM,), trunk.norm.weight, trunk.norm.bias, 1e-12)
    layers: list[Any] = list(trunk.layers)
    for layer in layers:
        projection = layer.attention.projection
        query, key, value = (
            part.view(len(x), width, HEADS, DIM // HEADS).transpose(1, 2)
            for part in F.linear(tokens, projection.weight, projection.bias).split(DIM, dim=-1)
        )
        scores = query @ key.transpose(2, 3) / (DIM // HEADS) ** 0.5
        context = torch.softmax(scores.float() + lowered, -1).double() @ value
        added = layer.output(context.transpose(1, 2).reshape(len(x), width, DIM))
        tokens = layer.attention_norm(tokens + added)
        tokens = layer.ffn_norm(tokens + layer.ffn_out(F.gelu(layer.ffn_in(tokens))))
    return tokens


def released_step(model: ECLSR, windows: Tensor, target: Tensor, drawn: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """All terms of a step, with what was generated."""
    masked, labels, columns = drawn
    table = model.backbone.item_embedding.weight
    encode = partial(trunk_states, model.backbone.trunk, causal=True)
    states = encode(table[windows], windows != 0)
    following = torch.cat([windows[:, 1:], target[:, None]], 1)
    recommendation = F.cross_entropy((states @ table[:-1].T).flatten(0, 1), following.flatten())

    user = F.normalize(states[:, -NEWEST:].mean(1), dim=1)
    contrast = F.cross_entropy(user @ user.T / TEMPERATURE, torch.arange(len(user)))

    hidden = trunk_states(model.generator, table[masked], masked != 0, causal=False)
    logits = hidden.gather(1, columns[:, :, None].expand(-1, -1, DIM)) @ table[:-1].T
    used = labels != 0
    generator = F.cross_entropy(logits[used], labels[used], reduction="sum") / used.sum()
    made = masked.clone()
    for row, column in used.nonzero().tolist():
        made[row, columns[row, column]] = logits[row, column].argmax()

    judged = encode(table[made] + states, made != 0)
    replaced = torch.sigmoid(judged @ model.head.weight[0]).clamp(1e-8, 1 - 1e-8)
    valid = windows != 0
    loglikelihood = torch.where(made != windows, replaced.log(), (1 - replaced).log())
    discriminator = -loglikelihood[valid].sum() / valid.sum()
    terms = {
        "recommendation": recommendation,
        "contrast": contrast,
        "generator": generator,
        "discriminator": discriminator,
    }
    total = sum((WEIGHTS[name] * term for name, term in terms.items()), torch.zeros(()))
    return terms | {"loss": total, "made": made}


def build(ratio: float) -> ECLSR:
    torch.manual_seed(5)
    sizes = (2, HEADS, 16, 0.0, 0.0, DotProductAttention)
    model = ECLSR(
        Transformer(ITEMS, WIDTH, DIM, *sizes, positions="from_newest"),
        torch.optim.Adam,
        TransformerTrunk(DIM, WIDTH, *sizes, causal=False, positions="from_newest"),
        sampled,
        "simultaneous",
        padding_learns=True,
        mask_ratio=ratio,
        window=NEWEST,
        temperature=TEMPERATURE,
        contrast_weight=WEIGHTS["contrast"],
        generator_weight=WEIGHTS["generator"],
        discriminator_weight=WEIGHTS["discriminator"],
    ).double()
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape, dtype=torch.float64)
    return model.train()


def windows_and_targets() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    items = torch.randint(1, ITEMS + 1, (len(LENGTHS), WIDTH), generator=generator)
    windows = items * (torch.arange(WIDTH) >= WIDTH - torch.tensor(LENGTHS)[:, None])
    return windows, torch.randint(1, ITEMS + 1, (len(LENGTHS),), generator=generator)


def our_step(
    model: ECLSR, windows: Tensor, target: Tensor, masks: tuple[Tensor, Tensor], to_right: Callable
) -> dict[str, Tensor]:
    """The terms that the model logs of a step on these masks of the windows; its gradients stay in the model."""
    resting = SimpleNamespace(step=lambda: None, zero_grad=lambda: None)
    model.optimizers = lambda: [resting] * len(model.players())  # type: ignore[method-assign, assignment]
    model.manual_backward = lambda loss: loss.backward()  # type: ignore[method-assign, misc]
    seen: dict[str, Tensor] = {}
    record_terms(model, seen.update)
    hidden, filled = (to_right(positions, windows) for positions in masks)
    model.masked_positions = lambda *_: (hidden, filled)
    items = to_right(windows, windows)
    row = torch.arange(len(items))
    model.training_step(Batch(row, row, items, target, (items != 0).long()), 0)
    return {name.removeprefix("train/"): value for name, value in seen.items()}


@pytest.mark.parametrize("ratio", [0.2, 0.6])
@pytest.mark.parametrize("draw", [sample, probable])
def test_a_step_on_the_released_draws(draw: Draw, ratio: float, to_right: Callable) -> None:
    windows, target = windows_and_targets()
    masked, labels, columns = released_masks(windows, ratio, draw)
    hidden = masked == ITEMS + 1
    filled = torch.zeros_like(windows).scatter_add(1, columns, (labels != 0).long()) > 0
    most = labels.shape[1]
    assert torch.equal(filled, newest(hidden, most)) == (draw is probable)

    model = build(ratio)
    expected = released_step(model, windows, target, (masked, labels, columns))
    names = [name for name, _ in model.named_parameters()]
    gradients = torch.autograd.grad(expected["loss"], list(model.parameters()), allow_unused=True)
    found = our_step(model, windows, target, (hidden, filled), to_right)
    for name, value in found.items():
        torch.testing.assert_close(
            value, expected[name].detach(), rtol=1e-6, atol=1e-8, msg=partial("{}: {}".format, name)
        )
    assert set(found) == set(expected) - {"made"}
    inputs = model.inputs(
        Batch(target, target, to_right(windows, windows), target, to_right(windows, windows)),
        *(to_right(positions, windows) for positions in (hidden, filled)),
    )
    assert torch.equal(model.generate(inputs).items, expected["made"])
    assert int((expected["made"] == ITEMS + 1).sum()) == int((hidden & ~filled).sum())
    for name, gradient in zip(names, gradients, strict=True):
        ours = model.get_parameter(name).grad
        assert ours is not None and gradient is not None, name
        if name == "backbone.item_embedding.weight":
            ours, gradient = ours[1:], gradient[1:]  # look-ups of padding give its row no gradient as released
        largest = gradient.abs().max().item()
        torch.testing.assert_close(ours, gradient, rtol=1e-5, atol=1e-6 * largest, msg=partial("{}: {}".format, name))


def test_the_newest_would_be_another_step(to_right: Callable) -> None:
    windows, target = windows_and_targets()
    masked, labels, columns = released_masks(windows, 0.2, sample)
    hidden, most = masked == ITEMS + 1, labels.shape[1]
    model = build(0.2)
    expected = released_step(model, windows, target, (masked, labels, columns))
    found = our_step(model, windows, target, (hidden, newest(hidden, most)), to_right)
    assert abs(float(found["generator"]) - float(expected["generator"].detach())) > 1e-2

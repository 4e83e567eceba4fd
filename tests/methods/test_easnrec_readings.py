"""Each reading of EASNRec against a second derivation: values and all gradients, in float64."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.backbones.base import Backbone
from seqrec.functional.augment import masked_positions
from seqrec.functional.generation import mean_of_means
from seqrec.functional.keyed_random import Stream
from seqrec.functional.pooling import printed_mean
from seqrec.methods.easnrec.contrast import contrast_states
from seqrec.methods.easnrec.easnrec import EASNRec, Losses
from seqrec.methods.easnrec.memory import ExternalMemory, first_reads, read_variance, written
from seqrec.methods.easnrec.positives import Positive, augmented_embeddings, same_pass, second_pass
from seqrec.methods.easnrec.similarity import (
    GeneratedStates,
    Influence,
    Joint,
    Similarity,
    Split,
    encoded,
    generator_states,
)
from seqrec.nn.attention import DotProductAttention
from seqrec.nn.packing import Packing
from tests.methods.small_easnrec import BATCHES, DIM, ITEMS, LENGTH, MEMORY, build, moved, offline, weights

BATCH = BATCHES[0]
VALID = BATCH.items != 0
MASKED = masked_positions(BATCH.items, torch.arange(6), 0.4)
WINDOW, TAU = 3, 0.5
CHANGE = torch.rand(6, LENGTH, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(5)) + 0.5


def plain(**options: Any) -> EASNRec:
    """Without chance and in float64; every weight is larger than at a start, so that all gradients count."""
    model = build(dropout=0.0, attention=DotProductAttention, **options).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4.0)
    return offline(model)


def gradients(model: nn.Module, loss: Tensor, grad: Tensor | None = None) -> dict[str, Tensor]:
    names, parameters = zip(*model.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, parameters, grad, retain_graph=True, allow_unused=True)
    return {n: torch.zeros_like(p) if g is None else g for n, p, g in zip(names, parameters, found, strict=True)}


def same(model: nn.Module, actual: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert any(bool(gradient.any()) for gradient in expected.values())
    for name, _ in model.named_parameters():
        torch.testing.assert_close(actual[name], expected[name], rtol=1e-9, atol=1e-12, msg=_of(name))


def _of(name: str) -> Callable[[str], str]:
    return lambda text: f"{name}: {text}"


def newest_first(states: Tensor, valid: Tensor, keys: Tensor) -> Tensor:
    """An augmentation with given factors: the n-th newest position of a row has the n-th of the row."""
    return states * CHANGE[: len(states), : states.shape[1]]


def user_vector(states: Tensor, length: int) -> Tensor:
    """Eq. (9) of one row: the mean of the last k states that there are."""
    return states[max(0, length - WINDOW) : length].mean(0)


@pytest.mark.parametrize("positive", [same_pass, second_pass, augmented_embeddings])
def test_contrast(positive: Positive) -> None:
    model = plain(memory=None)
    # Every pass of the encoder differs, as under dropout: the n-th scales its states differently in each dimension.
    scale = torch.rand(2, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(6)) + 0.5
    encoder, passes = model.backbone.trunk, iter(scale)
    handle = encoder.register_forward_hook(lambda module, inputs, states: states * next(passes))
    states = model.backbone(BATCH.items)
    contrast = contrast_states(
        states, BATCH.items, BATCH.row, model.backbone, WINDOW, TAU, newest_first, positive=positive
    )
    actual = gradients(model, contrast.loss)
    handle.remove()

    users, others = [], []
    for row, items in enumerate(BATCH.items):
        length = int((items != 0).sum())
        embedded = model.backbone.item_embedding(items[:length])[None]
        valid = torch.ones(1, length, dtype=torch.bool)
        change = CHANGE[row, :length].flip(0)
        hidden = encoder(embedded, valid)[0]
        users.append(user_vector(hidden * scale[0], length))
        second = {
            same_pass: lambda h=hidden, c=change: h * scale[0] * c,
            second_pass: lambda h=hidden, c=change: h * scale[1] * c,
            augmented_embeddings: lambda e=embedded, v=valid, c=change: encoder(e * c, v)[0] * scale[1],
        }[positive]()
        others.append(user_vector(second, length))
    loss = torch.zeros((), dtype=torch.float64)
    for u in range(6):
        own = F.cosine_similarity(users[u], others[u], dim=0) / TAU
        rest = [F.cosine_similarity(users[u], users[i], dim=0) / TAU for i in range(6) if i != u]
        loss = loss - (own - torch.logsumexp(torch.stack([own, *rest]), 0)) / 6
    torch.testing.assert_close(contrast.loss, loss)
    same(model, actual, gradients(model, loss))
    cosine = torch.stack([F.cosine_similarity(a, b, dim=0) for a, b in zip(users, others, strict=True)]).mean()
    torch.testing.assert_close(contrast.cosine, cosine.detach())
    assert not contrast.cosine.requires_grad


class Terms:
    """The players' losses of (2), (14) and (16), and the similarity (13), from their definitions."""

    def __init__(self, model: EASNRec, generated: GeneratedStates) -> None:
        table, items = model.backbone.item_embedding.weight, BATCH.items
        states = model.backbone.encode(table[items], VALID)
        supervised = BATCH.next_items != 0
        self.recommendation = F.cross_entropy(states[supervised] @ table[1:-1].T, BATCH.next_items[supervised] - 1)
        hidden = model.generator(table[items.masked_fill(MASKED, ITEMS + 1)], VALID)
        guess = (hidden @ table[1:-1].T)[MASKED]
        per_item = F.cross_entropy(guess, items[MASKED] - 1, reduction="none")
        self.generation = (per_item * mean_of_means(MASKED)[MASKED]).sum()
        made = items.masked_scatter(MASKED, guess.argmax(1) + 1)
        judged = VALID & (torch.arange(items.shape[1]) > 0)
        verdict = model.head(model.backbone.encode(table[made] + states, VALID))[..., 0]
        self.detection = F.binary_cross_entropy_with_logits(verdict[judged], (made == items)[judged].double())

        def similarity(fake: Tensor) -> Tensor:
            if generated is encoded:
                soft = torch.softmax(fake, 1) @ table[1:-1].detach()
                embedded = table[made].index_put((MASKED,), soft - soft.detach(), accumulate=True)
                fake = model.backbone.encode(embedded, VALID)
            return torch.stack([cosine(row, states[row], fake[row]) for row in range(6)]).mean()

        def cosine(row: int, *histories: Tensor) -> Tensor:
            siamese: Any = model.siamese
            vectors = [user_vector(x, int(VALID[row].sum())) for x in histories]
            first, second = (siamese.fc2(torch.relu(siamese.fc1(x))) for x in vectors)
            return F.cosine_similarity(first, second, dim=0)

        self.output = guess if generated is encoded else hidden
        self.of_generator = similarity(self.output)
        self.of_others = similarity(self.output.detach())


def step_gradients(model: EASNRec) -> tuple[Losses, dict[str, Tensor]]:
    """What a simultaneous step descends."""
    for optimizer in model.optimizers():
        optimizer.step = lambda: None  # type: ignore[method-assign]
        optimizer.zero_grad = lambda: None
    losses = model.simultaneous_step(BATCH, MASKED)
    return losses, {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in model.named_parameters()}


@pytest.mark.parametrize("generated", [encoded, generator_states])
@pytest.mark.parametrize(
    ("similarity", "lambda_1", "lambda_2"),
    [
        (Split(), 0.5, 0.3),
        (Split(), 0.5, 0.0),
        (Split(), 0.0, 0.3),
        (Joint(), 0.5, 0.3),
        (Joint(), 0.2, 0.8),  # both products are equal: the terms cancel
        (Joint(relaxed=False), 0.5, 0.3),
    ],
)
def test_similarity(similarity: Similarity, lambda_1: float, lambda_2: float, generated: GeneratedStates) -> None:
    model = plain(memory=None, similarity=similarity, generated_states=generated, contrast=_no_contrast)
    model.lambda_1, model.lambda_2, model.lambda_4, model.lambda_5 = lambda_1, lambda_2, 0.2, 0.05
    losses, actual = step_gradients(model)
    terms = Terms(model, generated)
    generator = terms.generation - lambda_1 * terms.of_others
    discriminator = terms.detection - lambda_2 * (1 - terms.of_others)
    for ours, wanted in (
        (losses.recommendation, terms.recommendation),
        (losses.generator, generator),
        (losses.discriminator, discriminator),
        (losses.similarity, terms.of_others),
        (model.total(losses), terms.recommendation + 0.2 * generator + 0.05 * discriminator),
    ):
        torch.testing.assert_close(ours, wanted)
    # The similarity moves the generator, and the items that it reads, along one way, and all else along the other.
    (along,) = torch.autograd.grad(terms.of_generator, terms.output, retain_graph=True)
    generators, others = gradients(model, terms.output, along), gradients(model, terms.of_others)
    both = 0.05 * lambda_2 - 0.2 * lambda_1
    ways = (both, both * similarity.relaxed) if isinstance(similarity, Joint) else (0.05 * lambda_2, -0.2 * lambda_1)
    expected = gradients(model, terms.recommendation + 0.2 * terms.generation + 0.05 * terms.detection)
    for name, gradient in expected.items():
        gradient += ways[0] * others[name] + ways[1] * generators[name]
    same(model, actual, expected)


def _no_contrast(states: Tensor, items: Tensor, keys: Tensor, backbone: Backbone) -> Any:
    return contrast_states(states, items, keys, backbone, 1, 1.0, lambda x, *_: x)._replace(loss=states.new_zeros(()))


@pytest.mark.parametrize("slots", ["written", "learned"])
def test_slots(slots: Any) -> None:
    memory = ExternalMemory(DIM, 5, 0.0, slots=slots).double()
    first, states = (torch.randn(4, DIM, dtype=torch.float64) for _ in range(2))
    memory.remember(first)
    start = memory.memory.clone()
    with written(memory), first_reads(memory) as seen:
        read = memory(states)
    weight = torch.randn_like(read)
    actual = gradients(memory, (read * weight).sum())

    weights = torch.softmax(first @ memory.w_w, 1)
    value = torch.stack([(weights[:, n, None] * first).sum(0) / (weights[:, n].sum() + 1e-8) for n in range(5)])
    both = torch.cat([start, value], 1)
    update, reset = torch.sigmoid(both @ memory.w_u.T), torch.sigmoid(both @ memory.w_r.T)
    candidate = torch.tanh(torch.cat([reset * start, value], 1) @ memory.w_c.T)
    slot = update * candidate + (1 - update) * start + (0.0 if memory.slots is None else memory.slots)
    alpha = torch.softmax(states @ memory.addressing.w_a, 1)
    rows = [sum((alpha[t, n] * slot[n] for n in range(5)), torch.zeros(DIM)) for t in range(4)]
    found = torch.stack(rows)
    expected = memory.fusion.norm(states + found)
    torch.testing.assert_close(read, expected)
    same(memory, actual, gradients(memory, (expected * weight).sum()))
    variance = read_variance(seen, memory)
    assert variance is not None
    torch.testing.assert_close(variance, (found.var(0, False).sum() / states.var(0, False).sum()).detach())


def test_learned_slots_vary_from_the_start() -> None:
    torch.manual_seed(0)
    states = F.layer_norm(torch.randn(2000, 64), (64,))
    share = {}
    for slots in ("written", "learned"):
        memory: Any = ExternalMemory(64, 256, 0.0, slots=slots)
        with first_reads(memory) as seen:
            memory(states)
        share[slots] = float(seen[memory].variance())
    assert share["written"] < 1e-4 and share["learned"] > 0.005


def test_a_memory_after_every_layer() -> None:
    model: Any = plain(memory=partial(MEMORY, dropout=0.0), memory_layers="every")
    trunk = model.backbone.trunk
    packing = Packing(VALID)
    embedded = packing.pack(model.backbone.item_embedding(BATCH.items))
    tokens = trunk._embedded(embedded, packing)
    first = trunk.inner_memories[0](trunk.layers[0](tokens, packing))
    last = trunk.memory(trunk.layers[1](first, packing))
    torch.testing.assert_close(trunk(embedded, packing), last)
    with torch.no_grad():
        newest = trunk.eval()(embedded, packing, newest=True)
        torch.testing.assert_close(newest, model.backbone.newest(BATCH.items))
        torch.testing.assert_close(newest, packing.in_batch_order(trunk(embedded, packing)[packing.newest]))
    start = [memory.memory.clone() for memory in (trunk.memory, trunk.inner_memories[0])]
    trunk.train()
    for i, batch in enumerate(BATCHES[:2]):
        model.training_step(batch, i)
    for memory, before in zip((trunk.memory, trunk.inner_memories[0]), start, strict=True):
        assert not torch.equal(memory.memory, before) and memory.pending is not None


@pytest.mark.parametrize("extra", [0, 1])
def test_masking(extra: int) -> None:
    items = torch.tensor([[1] * n + [0] * (50 - n) for n in range(1, 51)])
    masked = masked_positions(items, torch.arange(50), 0.2, extra)
    for n, row in enumerate(masked, start=1):
        assert int(row.sum()) == min(n // 5 + extra, n - 1)
        assert not row[0] and not row[n:].any()


def test_a_batch_without_a_masked_item_learns_the_rest() -> None:
    model = plain(masking=partial(masked_positions, extra=0))
    model.mask_ratio = 0.01
    before = weights(model)
    model.training_step(BATCH, 0)
    assert all(bool(torch.isfinite(p).all()) for p in model.parameters())
    assert any(name.startswith("backbone.trunk") for name in moved(model, before))


def test_loss_over_padded_positions() -> None:
    model, padded = plain(memory=None), plain(memory=None, loss_length=LENGTH)
    states = model.backbone(BATCH.items)
    scores = states @ model.backbone.item_matrix.T
    total = torch.zeros((), dtype=torch.float64)
    for row in range(6):
        for column in range(BATCH.items.shape[1]):
            target = int(BATCH.next_items[row, column])
            if target:
                total = total - torch.log_softmax(scores[row, column], 0)[target - 1]
    torch.testing.assert_close(padded.recommendation_loss(states, BATCH), total / (6 * LENGTH))
    torch.testing.assert_close(model.recommendation_loss(states, BATCH), total / (BATCH.next_items != 0).sum())


def test_printed_mean() -> None:
    states = torch.randn(6, BATCH.items.shape[1], DIM)
    expected = torch.stack([states[r, max(0, n - 4) : n].sum(0) / 4 for r, n in enumerate(VALID.sum(1).tolist())])
    torch.testing.assert_close(printed_mean(states, VALID, 4), expected)


@pytest.mark.parametrize("own_discriminator", [False, True])
def test_alternating_turns_have_moments_of_their_own(own_discriminator: bool) -> None:
    """Three steps against Adams that are written out here, each fed with the gradient of its turn's own loss."""
    ours, theirs = (plain(memory=None, own_discriminator=own_discriminator, adversarial="alternating") for _ in "ab")
    ours.build_optimizer = partial(torch.optim.Adam, lr=0.01)
    optimizers = ours.build_optimizers()
    ours.optimizers = lambda: optimizers  # type: ignore[method-assign, assignment]
    players = {name: list(nn.ModuleList(m).parameters()) for name, m in theirs.players().items()}
    judges = ["discriminator"] if own_discriminator else ["discriminator", "encoder"]
    order = [
        ("generator", ["generator", "embedding"]),
        ("discriminator", judges),
        ("encoder", ["encoder", "embedding"]),
    ]
    rate = {("generator", "embedding"): theirs.lambda_4, ("discriminator", "encoder"): theirs.lambda_5}
    moments: dict[tuple[str, Tensor], list[Tensor]] = {}
    for number, batch in enumerate(BATCHES, start=1):
        masked = theirs.masking(batch.items, batch.row, 0.4)
        ours.alternating_step(batch, masked)
        made = filled = None
        for turn, acting in order:
            states = theirs.backbone(batch.items)
            if turn == "generator":
                made, filled = theirs.generate(batch.items, masked)
                alone = theirs.similarity(batch.items, states, made, filled, _GENERATOR).mean()
                loss = made.loss - theirs.lambda_1 * alone
            elif turn == "discriminator":
                assert made is not None and filled is not None
                alike = theirs.similarity(batch.items, states, made, filled, _OTHERS).mean()
                loss = theirs.detection_loss(states, batch.items, made.items) - theirs.lambda_2 * (1 - alike)
            else:
                contrast = theirs.contrast(
                    states, batch.items, theirs.rng_keys(batch.row, Stream.VIEW), theirs.backbone
                )
                loss = theirs.recommendation_loss(states, batch) + theirs.lambda_3 * contrast.loss
            acted = [(player, p) for player in acting for p in players[player]]
            found = torch.autograd.grad(loss, [p for _, p in acted], allow_unused=True)
            for (player, p), gradient in zip(acted, found, strict=True):
                if gradient is None:
                    continue
                first, second = moments.setdefault((turn, p), [torch.zeros_like(p), torch.zeros_like(p)])
                first.mul_(0.9).add_(0.1 * gradient)
                second.mul_(0.999).add_(0.001 * gradient**2)
                step = (first / (1 - 0.9**number)) / ((second / (1 - 0.999**number)).sqrt() + 1e-8)
                p.data -= 0.01 * rate.get((turn, player), 1.0) * step
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9, msg=_of(name))


def test_joint_similarity_has_no_turns() -> None:
    with pytest.raises(ValueError, match="model/similarity=split"):
        build("alternating", similarity=Joint())


_GENERATOR, _OTHERS = Influence(-1.0, 1.0, generator_only=True), Influence(1.0, 0.0)

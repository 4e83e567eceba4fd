"""Each reading of EASNRec against a second derivation: values and all gradients, in float64."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.functional.augment import masked_positions
from seqrec.functional.generation import mean_of_means
from seqrec.functional.pooling import printed_mean
from seqrec.methods.easnrec.contrast import StateContrast
from seqrec.methods.easnrec.easnrec import EASNRec
from seqrec.methods.easnrec.losses import Losses
from seqrec.methods.easnrec.positives import AugmentedEmbeddings, Positive, SamePass, SecondPass
from seqrec.methods.easnrec.similarity import (
    GeneratedStates,
    Joint,
    Similarity,
    Split,
    encoded,
    generator_states,
)
from seqrec.nn.chosen import Chosen
from tests.methods.small_easnrec import BATCHES, DIM, ITEMS, LENGTH, NoContrast, gradients, moved, plain, same, weights

BATCH = BATCHES[0]
VALID = BATCH.items != 0
MASKED = masked_positions(BATCH.items, torch.arange(6), 0.4)
WINDOW, TAU = 3, 0.5
CHANGE = torch.rand(6, LENGTH, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(5)) + 0.5


def newest_first(states: Tensor, valid: Tensor, keys: Tensor) -> Tensor:
    """An augmentation with given factors: the n-th newest position of a row has the n-th of the row."""
    return states * CHANGE[: len(states), : states.shape[1]]


def user_vector(states: Tensor, length: int) -> Tensor:
    """Eq. (9) of one row: the mean of the last k states that there are."""
    return states[max(0, length - WINDOW) : length].mean(0)


@pytest.mark.parametrize("positive", [SamePass, SecondPass, AugmentedEmbeddings])
def test_contrast(positive: type[Positive]) -> None:
    model = plain(memory=None)
    # Every pass of the encoder differs, as under dropout: the n-th scales its states differently in each dimension.
    scale = torch.rand(2, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(6)) + 0.5
    encoder, passes = model.backbone.trunk, iter(scale)
    handle = encoder.register_forward_hook(lambda module, inputs, states: states * next(passes))
    states = model.backbone(BATCH.items)
    contrasting = StateContrast(WINDOW, TAU, newest_first, positive())
    contrast = contrasting(states, BATCH.items, BATCH.row, model.backbone)
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
            SamePass: lambda h=hidden, c=change: h * scale[0] * c,
            SecondPass: lambda h=hidden, c=change: h * scale[1] * c,
            AugmentedEmbeddings: lambda e=embedded, v=valid, c=change: encoder(e * c, v)[0] * scale[1],
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
    losses = model.simultaneous_step(BATCH, Chosen(MASKED), BATCH.row)
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
    model = plain(memory=None, similarity=similarity, generated_states=generated, contrast=NoContrast())
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

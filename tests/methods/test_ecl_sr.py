"""What is special to ECL-SR: its relation to EASNRec, its two treatments of padding, its turns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from seqrec.backbones.transformer import Transformer
from seqrec.data.batch import Batch
from seqrec.functional.augment import masked_positions
from seqrec.functional.cloze import sampled
from seqrec.functional.keyed_random import Stream
from seqrec.methods.easnrec.contrast import Contrast, Contrasted
from seqrec.methods.easnrec.easnrec import EASNRec
from seqrec.methods.easnrec.uncertainty import UncertaintyAttention
from seqrec.methods.ecl_sr import ECLSR
from seqrec.nn.attention import DotProductAttention
from seqrec.nn.chosen import Chosen
from seqrec.nn.trunk import TransformerTrunk
from seqrec.nn.window_trunk import window_states
from tests.methods.small_easnrec import ADAM, BATCHES, DIM, ITEMS, LENGTH, moved, offline, random_batch, weights

SIZES = (2, 2, 32)
TABLE = "backbone.item_embedding.weight"


def parts(dropout: float, attention: type = DotProductAttention) -> tuple[Transformer, TransformerTrunk]:
    torch.manual_seed(0)
    rest = (*SIZES, dropout, dropout, attention)
    return (
        Transformer(ITEMS, LENGTH, DIM, *rest, positions="from_newest"),
        TransformerTrunk(DIM, LENGTH, *rest, causal=False, positions="from_newest"),
    )


def build(padding_learns: bool, adversarial: Any = "simultaneous", dropout: float = 0.0, **changes: Any) -> ECLSR:
    backbone, generator = parts(dropout, **changes)
    return ECLSR(
        backbone,
        ADAM,
        generator,
        sampled,
        adversarial,
        padding_learns,
        mask_ratio=0.4,
        window=3,
        temperature=0.05,
        contrast_weight=0.3,
        generator_weight=0.2,
        discriminator_weight=0.05,
    )


def plain_easnrec() -> EASNRec:
    """EASNRec without Siamese network, uncertainty, memory and augmentation."""

    class Same(Contrast):
        def __call__(
            self, states: Tensor, items: Tensor, rng_keys: Tensor, backbone: Any, again: Tensor | None = None
        ) -> Contrasted:
            return Contrasted(contrasting.contrast_loss(states, states, items), torch.ones(()))

    contrasting = build(padding_learns=False)
    backbone, generator = parts(0.0)
    return EASNRec(
        backbone,
        ADAM,
        generator,
        Same(),
        None,
        "simultaneous",
        mask_ratio=0.4,
        window=3,
        generator_similarity_weight=0.0,
        discriminator_similarity_weight=0.0,
        contrast_weight=0.3,
        generator_weight=0.2,
        discriminator_weight=0.05,
    )


def equally_long(length: int) -> Batch:
    generator = torch.Generator().manual_seed(3)
    drawn = torch.randint(1, ITEMS + 1, (5, length + 1), generator=generator)
    row = torch.arange(5)
    return Batch(row, row, drawn[:, :-1], drawn[:, -1], drawn[:, 1:])


@pytest.mark.parametrize("length", [6, LENGTH])
def test_it_is_easnrec_without_the_additions(length: int) -> None:
    """Without padding all four terms are EASNRec's, but for the first item, which EASNRec's discriminator skips.

    EASNRec's logits are those of being original, ECL-SR's those of being replaced.
    """
    ours, theirs = offline(build(padding_learns=False)), offline(plain_easnrec())
    theirs.load_state_dict(ours.state_dict())
    theirs.head.weight.data.neg_()
    batch = equally_long(length)
    hidden = masked_positions(batch.items, ours.rng_keys(batch.row, Stream.MASK), 0.4)
    task = ours.inputs(batch, hidden, hidden)
    states = ours.backbone(batch.items)
    made, (expected, _) = ours.generate(task), theirs.generate(batch.items, Chosen(hidden))
    assert torch.equal(made.items, expected.items) and not torch.equal(made.items, batch.items)
    verdict = ours.verdict(states, made.items, batch.items != 0)
    torch.testing.assert_close(verdict, -theirs.verdict(states, made.items))
    first = torch.nn.functional.softplus(verdict[:, 0])  # of original items
    detection = (ours.detection_loss(states, batch.items, made.items) * verdict.numel() - first.sum()) / hidden[
        :, 1:
    ].numel()
    torch.testing.assert_close(detection, theirs.detection_loss(states, batch.items, made.items))
    found, wanted = ours.simultaneous_step(task), theirs.simultaneous_step(batch, Chosen(hidden), batch.row)
    for name in ("recommendation", "contrast", "generator"):
        torch.testing.assert_close(getattr(found, name), getattr(wanted, name), msg=name)


@pytest.mark.parametrize("causal", [True, False])
def test_where_a_query_sees_an_item_windows_are_histories(causal: bool) -> None:
    backbone, generator = parts(0.0)
    trunk = (backbone.trunk if causal else generator).double().eval()
    items = BATCHES[0].items
    x, valid = backbone.double().item_embedding(items), items != 0
    padding = LENGTH - valid.sum(1)
    windows = torch.stack([row.roll(int(n), 0) for row, n in zip(x, padding, strict=True)])
    seen = torch.stack([row.roll(int(n), 0) for row, n in zip(valid, padding, strict=True)])
    torch.testing.assert_close(window_states(trunk, windows, seen)[seen], trunk(x, valid)[valid], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("causal", [True, False])
def test_wanted_states_of_windows(causal: bool) -> None:
    """The same as of whole windows: longer and shorter histories, hidden first items, padding that is wanted."""
    backbone, generator = parts(0.0)
    trunk = (backbone.trunk if causal else generator).double().eval()
    column = torch.arange(LENGTH)
    first = torch.tensor([0, 1, LENGTH - 1, 2, LENGTH - 2, 3, LENGTH // 2, LENGTH, LENGTH, 1])
    asked = torch.tensor([0, 1, LENGTH - 1, 0, LENGTH - 2, 5, LENGTH // 2 - 1, 2, LENGTH, LENGTH])
    valid, wanted = column >= first[:, None], column >= asked[:, None]
    valid[:, -2] &= first != 1  # a key that is hidden between others
    x = torch.randn(len(first), LENGTH, DIM, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(len(first), LENGTH, DIM, dtype=torch.float64) * wanted[..., None]
    whole, part = (window_states(trunk, x, valid, some) for some in (None, wanted))
    torch.testing.assert_close(part[wanted], whole[wanted])
    of_whole, of_part = (torch.autograd.grad((states * weight).sum(), x)[0] for states in (whole, part))
    torch.testing.assert_close(of_part, of_whole)


@pytest.mark.parametrize("padding_learns", [True, False])
def test_terms_do_not_depend_on_how_far_a_batch_is_padded(padding_learns: bool) -> None:
    model = offline(build(padding_learns))
    batch = BATCHES[0]
    longest = int((batch.items != 0).sum(1).max())
    found = []
    for columns in (longest, LENGTH):
        part = batch._replace(items=batch.items[:, :columns], next_items=batch.next_items[:, :columns])
        task = model.inputs(part, *model.masks(part))
        states, again = model.states_twice(task)
        made = model.generate(task)
        found.append(
            (
                model.recommendation_loss(states, task),
                model.contrast_loss(states, again, task.items),
                made.loss,
                model.detection_loss(states, task.items, made.items),
            )
        )
    torch.testing.assert_close(*found)


def test_padding_learns_what_follows_it() -> None:
    model = build(padding_learns=True)
    batch = random_batch([0])
    none = torch.zeros_like(batch.items, dtype=torch.bool)
    task = model.inputs(batch, none, none)
    length = int((batch.items != 0).sum())
    assert task.supervised.all() and task.next_items[0, -length - 1] == batch.items[0, 0]
    assert not task.next_items[0, : -length - 1].any() and task.next_items[0, -1] == batch.target[0]
    newest_only = batch.next_items * (torch.arange(LENGTH) == length - 1)
    task = model.inputs(batch._replace(next_items=newest_only), none, none)
    assert task.supervised.tolist() == [[False] * (LENGTH - 1) + [True]]


def test_masks_beyond_the_limit_stay_hidden_and_count_as_replaced() -> None:
    model = build(padding_learns=True)
    batch = equally_long(LENGTH)
    task = model.inputs(batch, *offline(model).masks(batch))
    assert task.hidden.sum(1).tolist() == [int(0.4 * LENGTH) + 1] * 5
    assert task.filled.sum(1).tolist() == [int(0.4 * LENGTH)] * 5
    made = model.generate(task).items
    assert ((made == model.backbone.mask_token) == (task.hidden & ~task.filled)).all()


@pytest.mark.parametrize("padding_learns", [True, False])
def test_turns_move_their_players_only(padding_learns: bool) -> None:
    model = offline(build(padding_learns, "alternating"))
    found: list[set[str]] = []
    for optimizer in model.optimizers():
        optimizer.step = partial(note_moved, model, optimizer.step, found)  # type: ignore[method-assign]
    model.training_step(BATCHES[0], 0)
    turns = [("generator.", TABLE), ("backbone.trunk.", "head."), ("backbone.trunk.", TABLE)]
    for turn, first, second in zip(turns, found[::2], found[1::2], strict=True):
        assert first | second == {name for name in weights(model) if name.startswith(turn)}


def note_moved(model: ECLSR, step: Callable[[], None], found: list[set[str]]) -> None:
    """Step, and append the names of the parameters that it moved."""
    before = weights(model)
    step()
    found.append(moved(model, before))


def test_it_learns() -> None:
    model = build(padding_learns=True, dropout=0.1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses: list[Tensor] = []
    model.optimizers = lambda: [optimizer] + [torch.optim.SGD([torch.zeros(1)], 0.0)] * 3  # type: ignore[method-assign, assignment]
    model.manual_backward = lambda loss: (losses.append(loss.detach()), loss.backward())  # type: ignore[method-assign, assignment, misc]
    for index in range(30):
        model.training_step(BATCHES[index % 3], index)
    assert sum(losses[-3:]) < 0.7 * sum(losses[:3])


def test_padding_learns_with_plain_attention_only() -> None:
    with pytest.raises(ValueError, match="padding_learns=false"):
        build(padding_learns=True, attention=partial(UncertaintyAttention, noise_std=0.01))

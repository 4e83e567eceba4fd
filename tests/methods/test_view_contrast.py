"""What is special to ICLRec and CoSeRec: states of padding, views of whole histories, unseen negatives, schedules."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from seqrec.backbones.padded_transformer import PaddedTransformer
from seqrec.data.indices.unseen import Unseen
from seqrec.data.sequences import Sequences
from seqrec.data.windows import last_window
from seqrec.functional.augment import before_newest, dsa
from seqrec.functional.augment_similar import informative
from seqrec.functional.item_similarity import inverse_log
from seqrec.functional.left_padding import window
from seqrec.functional.ragged import HIDDEN, Ragged, ragged
from seqrec.methods.contrastive import view_contrast
from seqrec.methods.contrastive.view_contrast import ViewContrastive
from seqrec.methods.coserec import CoSeRec
from seqrec.methods.iclrec import ICLRec
from tests.factories import make_sequences, record_terms

ITEMS, W, USERS = 60, 6, 40
ADAM = partial(torch.optim.Adam, lr=1e-3)
DSA = partial(dsa, crop_ratio=0.2, mask_ratio=0.7, reorder_ratio=0.2, place=before_newest)
INFORMATIVE = partial(
    informative, threshold=4, short=["insert"], crop_ratio=0.2, mask_ratio=0.7, reorder_ratio=0.7, insert_ratio=0.4,
    substitute_ratio=0.1,
)  # fmt: skip


def sequences() -> Sequences:
    """Histories of 4 to 23 distinct items."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(4, 24, (USERS,), generator=generator)
    histories = [1 + torch.randperm(ITEMS, generator=generator)[:n] for n in lengths.tolist()]
    return make_sequences(histories, ITEMS)


SEQUENCES = sequences()
WINDOWS = last_window(SEQUENCES, W, torch.Generator())
BATCH = WINDOWS.batch(torch.arange(USERS), W)


def backbone(dropout: float = 0.0) -> PaddedTransformer:
    torch.manual_seed(0)
    return PaddedTransformer(ITEMS, W, 16, 2, 2, 32, dropout, dropout)


def ready(model: Any) -> Any:
    model.windows, model.unseen = WINDOWS, Unseen.of(SEQUENCES)
    model.logged = {}
    record_terms(model, model.logged.update)
    model.make_views()
    return model


def iclrec(dropout: float = 0.0, view: Callable = DSA, **options: Any) -> ICLRec:
    chosen = {"instance_weight": 0.1, "intent_weight": 0.1, "warmup_epochs": 0, "mask_same_intent": False} | options
    model = ICLRec(backbone(dropout), ADAM, view, 4, share_views=False, temperature=1.0, **chosen)
    model.intents.centroids.normal_()
    return ready(model)


def coserec(**options: Any) -> CoSeRec:
    model = CoSeRec(backbone(), ADAM, INFORMATIVE, inverse_log, 0.1, temperature=1.0, warmup_epochs=0, **options)
    model.prepare(SEQUENCES)
    model.refresh()
    return ready(model)


def passes(model: ViewContrastive) -> list[int]:
    """Rows of each padded pass of a step."""
    rows: list[int] = []
    padded = model.backbone.padded
    model.backbone.padded = lambda windows: rows.append(len(windows)) or padded(windows)  # type: ignore
    model.training_step(BATCH, 0)
    return rows


def test_windows_keep_the_newest_and_hide_what_is_hidden() -> None:
    histories = ragged(torch.tensor([[1, HIDDEN, 3, 4, 0], [7, 0, 0, 0, 0], [1, 2, 3, HIDDEN, 5]]))
    assert torch.equal(histories.windows(3), torch.tensor([[0, 3, 4], [0, 0, 7], [3, 0, 5]]))
    expected = torch.tensor([[0, 1, 0, 3, 4], [0, 0, 0, 0, 7], [1, 2, 3, 0, 5]])
    assert torch.equal(histories.windows(7), torch.nn.functional.pad(expected, (2, 0)))


def test_states_of_items_are_the_packed_ones_and_padding_sees_the_whole_window() -> None:
    model = backbone().double().eval()
    windows = window(BATCH.items, W)
    states, valid = model.padded(windows), windows != 0
    torch.testing.assert_close(states[valid], model(BATCH.items)[BATCH.items != 0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(states[:, -1], model.newest(BATCH.items), rtol=1e-5, atol=1e-5)
    newer = windows.clone()
    newer[:, -1] = newer[:, -1] % ITEMS + 1
    moved = (model.padded(newer) - states).abs().amax(2) > 1e-6
    assert torch.equal(moved[:, :-1], ~valid[:, :-1]) and moved[:, -1].all()


def test_hidden_items_are_no_keys_but_have_states() -> None:
    model = backbone().double().eval()
    one, other = torch.tensor([[0, 0, 5, 0, 7, 8]]), torch.tensor([[0, 0, 5, 0, 7, 9]])
    states = model.padded(torch.cat([one, other]))
    torch.testing.assert_close(states[0, 2:5], states[1, 2:5])
    alone = model.padded(torch.tensor([[0, 0, 5, 6, 7, 8]]))
    assert not torch.isclose(alone[0, 4], states[0, 4]).any()  # item 6 is seen by those after it


@pytest.mark.parametrize("build", [iclrec, coserec])
def test_views_are_made_of_the_whole_history(build: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build()
    whole: list[Ragged] = []
    changed = model.changed
    model.changed = lambda histories, keys: whole.append(histories) or changed(histories, keys)
    model.make_views()
    views = model.views(BATCH)
    assert views.shape == (2 * USERS, W) and not torch.equal(views[:USERS], views[USERS:])
    assert torch.equal(whole[0].length, (SEQUENCES.lengths - 3).repeat(2))
    assert int(whole[0].length.max()) > W
    assert torch.equal(views, build().views(BATCH))  # drawn from the seed
    part = torch.tensor([30, 4])
    assert torch.equal(model.views(WINDOWS.batch(part, W)), torch.cat([views[:USERS][part], views[USERS:][part]]))
    monkeypatch.setattr(view_contrast, "BLOCK", 7)
    model.make_views()
    assert torch.equal(views, model.views(BATCH))


def test_negatives_are_items_that_the_user_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def against(states: Tensor, target: Tensor, negatives: Tensor, *rest: object, weight: Tensor | None) -> Tensor:
        seen.append(negatives)
        return states.sum()

    monkeypatch.setattr(view_contrast, "against", against)
    model = coserec()
    learnt = BATCH.next_items != 0
    for epoch in range(20):
        model.seed = epoch
        model.recommendation(BATCH, torch.zeros(int(learnt.sum()), 16))
    users = BATCH.user[:, None].expand_as(learnt)[learnt]
    held_out = set()
    for user, drawn in zip(users.tolist(), torch.stack(seen, 1).tolist(), strict=True):
        start, stop = SEQUENCES.offsets[user], SEQUENCES.offsets[user + 1]
        items = {item for (item,) in drawn}
        assert not items & set(SEQUENCES.items[start : stop - 2].tolist())
        held_out |= items & set(SEQUENCES.items[stop - 2 : stop].tolist())
    assert held_out  # the answers of the evaluation are not spared


def test_terms_of_weight_zero_and_intents_before_the_warm_up_are_left_out() -> None:
    both, only_intent, only_instance, early = (
        iclrec(), iclrec(instance_weight=0.0), iclrec(intent_weight=0.0), iclrec(warmup_epochs=1)
    )  # fmt: skip
    assert passes(both) == [USERS, 2 * USERS, 2 * USERS] and "train/intent" in both.logged
    assert passes(only_intent) == [USERS, 2 * USERS] and "train/instance" not in only_intent.logged
    for model in (only_instance, early):
        assert passes(model) == [USERS, 2 * USERS] and "train/intent" not in model.logged
    shared = iclrec()
    shared.share_views = True
    assert passes(shared) == [USERS, 2 * USERS]
    assert passes(coserec()) == [2 * USERS]


def test_users_of_one_intent_are_no_negatives_if_asked() -> None:
    states, encoded = torch.randn(USERS, W, 16), torch.randn(2 * USERS, W, 16)
    plain, masked = (iclrec(mask_same_intent=flag) for flag in (False, True))
    masked.intents.centroids.copy_(plain.intents.centroids)
    assert masked.intent_loss(states, encoded) < plain.intent_loss(states, encoded)
    masked.intents.centroids[1:] = 1e3
    torch.testing.assert_close(masked.intent_loss(states, encoded), torch.tensor(0.0))  # all share it: none is left


def test_item_vectors_have_their_say_after_the_warm_up() -> None:
    model = coserec()
    by_users = model.similar.clone()
    model.refresh()
    assert torch.equal(model.similar, by_users)
    model.warmup_epochs = -1
    model.by_users = model.by_users._replace(score=torch.zeros_like(model.by_users.score))
    table = model.backbone.item_embedding.weight.data
    table[1:] = 0.01 * torch.randn_like(table[1:])
    table[5] = table[9] = torch.ones(16)
    model.refresh()
    assert int(model.similar[5]) == 9 and int(model.similar[9]) == 5

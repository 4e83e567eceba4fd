"""What is special to BERT4Rec: its two kinds of batches, its training sequences, its question at the end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from seqrec.backbones.transformer import Transformer
from seqrec.data.batch import Batch
from seqrec.functional.cloze import exact_share, independent
from seqrec.methods.bert4rec import BERT4Rec
from seqrec.nn.attention import DotProductAttention

ITEMS, LENGTH, TOKEN = 30, 8, 31
HISTORIES = torch.tensor([[3, 5, 7, 9, 11, 13, 15, 17], [2, 4, 6, 0, 0, 0, 0, 0], [8, 0, 0, 0, 0, 0, 0, 0]])
ROW = torch.arange(3)
BATCH = Batch(ROW, ROW, HISTORIES, torch.tensor([19, 8, 10]), torch.zeros_like(HISTORIES))


def build(causal: bool = False, dropout: float = 0.0, **options: Any) -> BERT4Rec:
    torch.manual_seed(0)
    backbone = Transformer(ITEMS, LENGTH, 16, 2, 2, 32, dropout, dropout, DotProductAttention, causal=causal)
    form: dict[str, Any] = {
        "masks": independent,
        "mask_ratio": 0.5,
        "last_ratio": 0.5,
        "with_target": False,
        "always_drop": True,
    }
    model = BERT4Rec(backbone, partial(torch.optim.Adam, lr=1e-3), max_length=LENGTH, **(form | options))
    model.log_terms = lambda *args: None  # type: ignore[method-assign]
    return model.train()


def seen_by_the_backbone(model: BERT4Rec, action: Callable[[], object]) -> torch.Tensor:
    """The histories of the first pass that ``action`` makes."""
    passes: list[torch.Tensor] = []
    model.backbone.item_embedding.register_forward_pre_hook(lambda module, ids: passes.append(ids[0]))
    action()
    return passes[0]


def test_evaluation_asks_with_a_mask_at_the_end() -> None:
    asked: list[torch.Tensor] = []
    for always_drop in (True, False):
        model = build(always_drop=always_drop)
        model.backbone.newest = lambda items: asked.append(items) or torch.zeros(3, 16)  # type: ignore[method-assign]
        model.query(BATCH.histories)
    assert asked[0].tolist() == [
        [5, 7, 9, 11, 13, 15, 17, TOKEN], [4, 6, TOKEN, 0, 0, 0, 0, 0], [TOKEN, 0, 0, 0, 0, 0, 0, 0]
    ]  # fmt: skip
    assert asked[1].tolist() == [
        [5, 7, 9, 11, 13, 15, 17, TOKEN], [2, 4, 6, TOKEN, 0, 0, 0, 0], [8, TOKEN, 0, 0, 0, 0, 0, 0]
    ]  # fmt: skip


def test_a_training_sequence_has_its_target_where_that_is_asked_for() -> None:
    assert torch.equal(build().sequences(BATCH), HISTORIES)
    assert build(with_target=True).sequences(BATCH).tolist() == [
        [5, 7, 9, 11, 13, 15, 17, 19], [2, 4, 6, 8, 0, 0, 0, 0], [8, 10, 0, 0, 0, 0, 0, 0]
    ]  # fmt: skip


def test_batches_are_of_two_kinds_drawn_from_seed_and_number() -> None:
    kinds = []
    for seed in (0, 0, 1):
        model = build(seed=seed)
        drawn: list[str] = []
        model.cloze_loss = lambda items, keys, most, drawn=drawn: drawn.append("cloze")  # type: ignore[assignment, misc]
        model.newest_loss = lambda items, drawn=drawn: drawn.append("newest")  # type: ignore[method-assign, misc]
        for index in range(400):
            model.training_step(BATCH, index)
        kinds.append(drawn)
    assert kinds[0] == kinds[1] != kinds[2]
    assert 150 < kinds[0].count("newest") < 250


def test_hidden_items_are_out_of_sight() -> None:
    """The loss of a hidden item depends on another one only if that is not hidden too."""
    third = torch.arange(LENGTH) == 2
    other = HISTORIES.clone()
    other[0, 5] = 29

    def masks(items: Tensor, keys: Tensor, ratio: float, most: int, all_hidden: bool) -> tuple[Tensor, Tensor]:
        return (third | all_hidden) & (items != 0), third & (items != 0)

    for all_hidden in (True, False):
        model = build(masks=partial(masks, all_hidden=all_hidden))
        for parameter in model.backbone.parameters():
            parameter.data *= 10  # at its initial weights attention hardly tells items apart
        before, after = (model.cloze_loss(items, ROW) for items in (HISTORIES, other))
        assert torch.isclose(before, after, rtol=1e-6) == all_hidden


def test_the_newest_loss_is_a_cloze_loss_of_the_newest_items() -> None:
    newest = torch.arange(8) == (HISTORIES != 0).sum(1, keepdim=True) - 1
    first = torch.arange(8) == 0
    model = build(masks=lambda items, keys, ratio, most: (newest, newest & ~first))
    torch.testing.assert_close(model.newest_loss(HISTORIES), model.cloze_loss(HISTORIES, ROW))


def test_histories_of_one_item_teach_nothing() -> None:
    model = build()
    loss = model.newest_loss(HISTORIES[2:])
    loss.backward()
    assert loss == 0
    assert not any(p.grad is not None and p.grad.any() for p in model.parameters())


def test_it_learns_to_fill_in() -> None:
    """Histories that count upwards: the next item is the newest plus one."""
    generator = torch.Generator().manual_seed(0)
    start = torch.randint(1, 22, (64, 1), generator=generator)
    items = start + torch.arange(LENGTH)
    row = torch.arange(64)
    batch = Batch(row, row, items, items[:, -1] + 1, torch.zeros_like(items))
    forms: list[dict[str, Any]] = [
        {},
        {"masks": exact_share, "mask_ratio": 0.25, "last_ratio": 0.0, "with_target": True},
    ]
    for options in forms:
        model = build(**options)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for step in range(180):
            optimizer.zero_grad()
            model.training_step(batch._replace(row=row + 64 * step), step).backward()  # new masks, as in a new epoch
            optimizer.step()
        right = model.eval().score(batch.histories).argmax(1) + 1 == batch.target
        assert right.float().mean() > 0.6, options  # chance: 0.03


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="bidirectional"):
        build(causal=True)
    with pytest.raises(ValueError, match=r"last_ratio is 1\.5"):
        build(last_ratio=1.5)
    with pytest.raises(ValueError, match=r"mask_ratio is 0\.1 and max_length 8"):
        build(mask_ratio=0.1)

"""What is special to CBiT: sliding windows, BERT's rule, many views, a weight that is state, padding."""

from __future__ import annotations

from functools import partial
from typing import Any

import polars as pl
import pytest
import torch
import torch.nn.functional as F

from seqrec.backbones.pre_norm import PreNormTransformer
from seqrec.data.batch import Batch
from seqrec.data.sequences import Sequences
from seqrec.data.windows import sliding
from seqrec.functional.cloze import bert_view
from seqrec.functional.in_batch.info_nce import nt_xent, pairwise_nt_xent
from seqrec.functional.keyed_random import rng_keys
from seqrec.methods.cbit import CBiT
from tests.factories import make_sequences

ITEMS, LENGTH, TOKEN = 30, 8, 31


def build(**options: Any) -> CBiT:
    torch.manual_seed(0)
    backbone = PreNormTransformer(ITEMS, LENGTH, 16, 2, 2, 32, dropout=0.0)
    form = {"mask_ratio": 0.3, "num_views": 3, "temperature": 0.3, "theta_rate": 0.1, "contrast_scale": 5.0}
    model = CBiT(backbone, partial(torch.optim.Adam, lr=1e-3), max_length=LENGTH, **(form | options))
    return model.train()


@pytest.mark.parametrize("step", [1, 3])
def test_sliding_windows_cover_a_training_part(step: int) -> None:
    lengths = torch.tensor([3, 4, 7, 8, 9, 20])
    items = torch.arange(1, int(lengths.sum()) + 1)
    sequences = make_sequences(items.split(lengths.tolist()), len(items))
    windows = sliding(sequences, 5, torch.Generator(), step)
    found = [
        items[a : b + 1].tolist() for a, b in zip(windows.start.tolist(), windows.stop.tolist(), strict=True)
    ]  # with the target
    expected = []
    for user, length in enumerate(lengths.tolist()):
        part = items[sequences.offsets[user] : sequences.offsets[user] + length - 2].tolist()
        if len(part) < 2:
            continue
        starts = [*range(len(part) - 5, 0, -step), 0]
        expected += [part[start : start + 5] for start in starts]
    assert found == expected


def test_a_window_must_move() -> None:
    empty = Sequences(torch.ones(0), torch.zeros(1).long(), pl.Series([]), pl.Series([]), torch.ones(0))
    with pytest.raises(ValueError, match="step is 0"):
        sliding(empty, 5, torch.Generator(), 0)


def test_shares_of_berts_rule() -> None:
    rows = torch.arange(2000)
    items = torch.full((2000, 20), 7)
    items[:, 15:] = 0
    view, learnt = bert_view(items, rng_keys(0, 0, rows, 0), 0.4, TOKEN)
    valid = items != 0
    assert not (view[~valid].any() or learnt[~valid].any())
    assert torch.equal(view[~learnt], items[~learnt])
    shares = [(view[learnt] == TOKEN), (view[learnt] != TOKEN) & (view[learnt] != 7), (view[learnt] == 7)]
    assert abs(float(learnt[valid].float().mean()) - 0.4) < 0.01
    found = torch.stack(shares).float().mean(1)
    torch.testing.assert_close(found, torch.tensor([0.8, 0.1 * 29 / 30, 0.1 + 0.1 / 30]), atol=0.01, rtol=0)
    assert set(view[learnt].unique().tolist()) == set(range(1, TOKEN + 1))


@pytest.mark.parametrize("rows", [1, 5])
def test_each_pair_of_views_is_an_nt_xent(rows: int) -> None:
    torch.manual_seed(0)
    views = F.normalize(torch.randn(4, rows, 6, dtype=torch.float64, requires_grad=True), dim=2)
    found = pairwise_nt_xent(views, 0.3)
    for j in range(4):
        for k in range(4):
            expected = nt_xent(views[j], views[k], 0.3) if j != k else torch.zeros((), dtype=torch.float64)
            torch.testing.assert_close(found[j, k], expected)
    (gradient,) = torch.autograd.grad(found.sum(), views)
    assert bool(torch.isfinite(gradient).all())


def test_the_weight_of_the_contrast_is_in_the_checkpoint() -> None:
    items = torch.tensor([[3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 0, 0, 0, 0]])
    row = torch.arange(2)
    model = build()
    model.training_step(Batch(row, row, items, torch.tensor([17, 8]), torch.zeros_like(items)), 0)
    assert 0 < float(model.theta) <= model.theta_rate
    again = build()
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.theta, model.theta)


def test_windows_are_histories_with_states_at_padding() -> None:
    backbone = build().backbone
    items = torch.tensor([[3, 5, 7, 0], [9, 0, 0, 0]])
    windows, states = backbone.windows(items), backbone(items)
    assert windows.shape == (2, LENGTH, 16)
    torch.testing.assert_close(windows[0, -3:], states[0, :3])
    torch.testing.assert_close(windows[1, -1], backbone.newest(items)[1])
    assert windows[0, 0].abs().sum() > 0


def test_it_learns_to_fill_in() -> None:
    """Histories that count upwards: the next item is the newest plus one."""
    generator = torch.Generator().manual_seed(0)
    items = torch.randint(1, 22, (64, 1), generator=generator) + torch.arange(LENGTH - 1)
    row = torch.arange(64)
    batch = Batch(row, row, items, items[:, -1] + 1, torch.zeros_like(items))
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(120):
        optimizer.zero_grad()
        model.training_step(batch._replace(row=row + 64 * step), step).backward()
        optimizer.step()
    right = model.eval().score(batch.histories).argmax(1) + 1 == batch.target
    assert right.float().mean() > 0.6  # chance: 0.03


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="num_views is 1"):
        build(num_views=1)
    with pytest.raises(ValueError, match=r"mask_ratio is 0\.0"):
        build(mask_ratio=0.0)

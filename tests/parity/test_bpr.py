"""BPR against RecBole: scores of interactions and of all items, loss, gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch

from seqrec.backbones.factors import Factors
from seqrec.data.batch import Batch
from seqrec.methods.bpr import BPR
from tests.parity.golden import Golden


def build(golden: Golden) -> BPR:
    users, table = golden["param/user_embedding.weight"], golden["param/item_embedding.weight"]
    backbone = Factors(len(table) - 1, *users.shape).double()
    backbone.load_state_dict({"user_embedding.weight": users, "item_embedding.weight": torch.cat([table, table[:1]])})
    return BPR(backbone, partial(torch.optim.Adam, lr=1e-3), num_negatives=1)


def interactions(golden: Golden) -> Batch:
    row = torch.arange(len(golden["in/user"]))
    nothing = row.new_zeros(len(row), 0)
    return Batch(row, golden["in/user"], nothing, golden["in/pos_item"], nothing)


def test_scores(golden: Callable[[str], Golden]) -> None:
    reference = golden("bpr")
    model = build(reference)
    everyone = torch.arange(len(reference["out/scores"]))
    nothing = everyone.new_zeros(len(everyone), 0)
    batch = Batch(everyone, everyone, nothing, everyone, nothing)
    users, table = model.query(batch.histories), model.backbone.item_embedding.weight
    reference.check("out/scores", users @ table[:-1].T)
    reference.close("scores", model.score(batch.histories), reference["out/scores"][:, 1:])
    batch = interactions(reference)
    for name, items in (("pos", batch.target), ("neg", reference["in/neg_item"])):
        reference.check(f"out/{name}_score", (model.query(batch.histories) * table[items]).sum(1))


def test_training_step(golden: Callable[[str], Golden], monkeypatch: pytest.MonkeyPatch) -> None:
    reference = golden("bpr")
    model = build(reference)
    monkeypatch.setattr(model, "negatives", lambda batch: reference["in/neg_item"][:, None])
    loss = model.training_step(interactions(reference), 0)
    reference.check("out/loss_total", loss)
    loss.backward()
    for name, table in (("user", model.backbone.user_embedding), ("item", model.backbone.item_embedding)):
        assert table.weight.grad is not None
        expected = f"grad/{name}_embedding.weight"
        reference.check(expected, table.weight.grad[: len(reference[expected])])

"""Caser against RecBole: vectors, scores, the two losses with their norms, and gradients.

The left-padded form is the same network on an image whose padding stands above the items; padding is then an
ordinary constant item, and is given as one. The official implementation (``official_*``), with targets in windows
and an output table of its own, is another reference and is not compared.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from seqrec.backbones.caser.caser import CaserEncoder
from seqrec.functional.losses import bpr, next_item
from seqrec.methods.caser import Caser
from tests.factories import record_terms
from tests.parity.golden import Golden
from tests.parity.recbole import prefix_batch

DIRECT = {
    "user_embedding.weight": "user_embedding.weight",
    "conv_v.bias": "vertical.bias",
    "fc1.weight": "hidden.weight",
    "fc1.bias": "hidden.bias",
    "fc2.weight": "output.weight",
    "fc2.bias": "output.bias",
}


def build(golden: Golden) -> Caser:
    """The model with parameters ``param/recbole.*``; the mask token has the vector of the padding row."""
    old = golden.group("param/recbole.")
    table, vertical = old["item_embedding.weight"], old["conv_v.weight"][:, 0, :, 0]
    length = vertical.shape[1]
    filters = [old[f"conv_h.{i}.weight"][:, 0] for i in range(length)]
    state = {ours: old[theirs] for theirs, ours in DIRECT.items()} | {
        "item_embedding.weight": torch.cat([table, table[:1]]),
        "vertical.weight": vertical,
        "horizontal.weight": torch.cat([part.flatten(0, 1) for part in filters]),
        "horizontal.bias": torch.cat([old[f"conv_h.{i}.bias"] for i in range(length)]),
    }
    users = len(old["user_embedding.weight"]) - 1
    sizes = (len(table) - 1, users, length, table.shape[1], len(filters[0]), len(vertical))
    backbone = CaserEncoder(*sizes, dropout=0.0).double()
    backbone.load_state_dict(state)
    loss = partial(next_item, padding_class=True)
    return Caser(backbone, partial(torch.optim.Adam, lr=1e-3), loss, golden.meta["hyper"]["reg_weight"])


def gradient(model: Caser, name: str) -> Tensor:
    """Under the reference's name and shape."""
    backbone = model.backbone
    if name == "item_embedding.weight":
        found = backbone.item_embedding.weight.grad
        return found[:-1] if found is not None else torch.empty(0)
    if name == "conv_v.weight":
        found = backbone.vertical.weight.grad
        return found[:, None, :, None] if found is not None else torch.empty(0)
    if name.startswith("conv_h"):
        height, kind = int(name.split(".")[1]), name.split(".")[2]
        found = getattr(backbone.horizontal, kind).grad
        filters = backbone.horizontal.num_filters
        if kind == "bias":
            return found[height * filters : (height + 1) * filters]
        return found[backbone.horizontal.height == height].view(filters, 1, height + 1, -1)
    found = dict(backbone.named_parameters())[DIRECT[name]].grad
    assert found is not None
    return found


@pytest.mark.parametrize("side", ["", "leftpad."])
def test_vectors_losses_and_gradients(
    golden: Callable[[str], Golden], side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = golden("caser")
    model = build(reference)
    logged: dict[str, Tensor] = {}
    record_terms(model, logged.update)
    items, target = reference[f"in/seq_{'left' if side else 'right'}_padded"], reference["in/target"]
    if side:
        items = torch.where(items == 0, model.backbone.mask_token, items)
    batch = prefix_batch(items, target, torch.arange(len(items)))._replace(user=reference["in/users"] - 1)
    group = f"recbole.{side}"
    table = model.backbone.item_embedding.weight
    user = model.query(batch.histories)
    reference.check(f"out/{group}user", user)
    reference.check(f"out/{group}scores", user @ table[:-1].T)
    norms = model.norm_weight * model.backbone.norms()
    reference.check(f"out/{group}reg", norms)
    positive, negative = ((user * table[x]).sum(1) for x in (target, reference["in/neg_target"]))
    reference.check(f"out/{group}loss_total_bpr", bpr(positive, negative[:, None]) + norms)
    total = model.training_step(batch, 0)
    reference.check(f"out/{group}loss_total_ce", total)
    total.backward()
    compared = [name for name in reference.group(f"grad/{group}") if not name.startswith("leftpad.")]
    assert compared
    for name in compared:
        reference.check(f"grad/{group}{name}", gradient(model, name))

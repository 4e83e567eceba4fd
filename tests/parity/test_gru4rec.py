"""GRU4Rec against RecBole: states, scores, softmax with the padding class, BPR, and gradients, for 1 and 2 layers.

The left-padded form of BSARec's port is the same network reading an ordinary, constant item in front of the
history, and is compared as that. Of the official implementation (``official_*``) the losses are compared, in
test_gru4rec_losses.py; its session-parallel training is not implemented.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from seqrec.backbones.gru import GRU
from seqrec.functional.losses import bpr, next_item
from tests.parity.golden import Golden

NAMES = {"item_embedding": "item_embedding", "gru_layers": "gru", "dense": "output"}


def ours(name: str) -> str:
    module, _, rest = name.partition(".")
    return f"{NAMES[module]}.{rest}"


def build(golden: Golden, group: str) -> GRU:
    """The backbone with parameters ``param/<group>*``; the mask token has the vector of the padding row."""
    state = {ours(name): value for name, value in golden.group(f"param/{group}").items()}
    table = state["item_embedding.weight"]
    state["item_embedding.weight"] = torch.cat([table, table[:1]])
    hidden, dim = state["gru.weight_hh_l0"].shape[1], table.shape[1]
    layers = sum(name.startswith("gru.weight_hh") for name in state)
    model = GRU(len(table) - 1, dim, hidden, layers, dropout=0.0).double()
    model.load_state_dict(state)
    return model


def check_gradients(golden: Golden, model: GRU, group: str) -> None:
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    compared = [name for name in golden.group(f"grad/{group}") if not name.startswith("leftpad.")]
    assert compared
    for name in compared:
        gradient = gradients[ours(name)]
        assert gradient is not None
        golden.check(f"grad/{group}{name}", gradient[: len(golden[f"grad/{group}{name}"])])


def pairwise(user: Tensor, golden: Golden, table: Tensor) -> Tensor:
    positive, negative = ((user * table[golden[f"in/{name}"]]).sum(-1) for name in ("target", "neg_target"))
    return bpr(positive, negative[:, None])


@pytest.mark.parametrize("group", ["recbole.", "recbole2."])
def test_states_scores_and_losses(golden: Callable[[str], Golden], group: str) -> None:
    reference = golden("gru4rec")
    model = build(reference, group)
    items, target = reference["in/seq_right_padded"], reference["in/target"]
    table = model.item_embedding.weight
    user = model(items)[torch.arange(len(items)), reference["in/length"] - 1]
    reference.check(f"out/{group}user", user)
    reference.check(f"out/{group}scores", user @ table[:-1].T)
    reference.check(f"out/{group}loss_bpr", pairwise(user, reference, table))
    loss = next_item(user, target, table, torch.zeros_like(target), padding_class=True)
    reference.check(f"out/{group}loss_ce", loss)
    loss.backward()
    check_gradients(reference, model, group)


@pytest.mark.parametrize("group", ["recbole.", "recbole2."])
def test_left_padding_is_an_item_in_front(golden: Callable[[str], Golden], group: str) -> None:
    reference = golden("gru4rec")
    model = build(reference, group)
    items = reference["in/seq_left_padded"]
    items = torch.where(items == 0, model.mask_token, items)
    user = model(items)[:, -1]
    reference.check(f"out/{group}leftpad.user", user)
    loss = pairwise(user, reference, model.item_embedding.weight)
    reference.check(f"out/{group}leftpad.loss_bpr", loss)
    loss.backward()
    check_gradients(reference, model, f"{group}leftpad.")

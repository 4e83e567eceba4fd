"""BSARec against its official implementation: branches, states, scores, loss and gradients.

Histories are right-padded here, so the reference's windows are turned back; row 0 is an empty history.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from seqrec.backbones.bsarec.bsarec import BSARec
from seqrec.data.batch import Batch
from seqrec.functional.losses import next_item
from seqrec.methods.next_item import NextItem
from seqrec.nn.window_mask import window_mask
from tests.factories import at_newest, make_batch
from tests.parity.golden import Golden, gradients

BLOCK = {
    "frequency.norm": "layer.filter_layer.LayerNorm",
    "attention.output": "layer.attention_layer.dense",
    "attention.norm": "layer.attention_layer.LayerNorm",
    "attention.query": "layer.attention_layer.query",
    "ffn_in": "feed_forward.dense_1",
    "ffn_out": "feed_forward.dense_2",
    "ffn_norm": "feed_forward.LayerNorm",
}


def build(golden: Golden) -> BSARec:
    old, hparams = golden.group("param/"), golden.meta["hparams"]
    table, positions = old["item_embeddings.weight"], old["position_embeddings.weight"]
    layers = sum(name.endswith("sqrt_beta") for name in old)
    inner = len(old["item_encoder.blocks.0.feed_forward.dense_1.bias"])
    model = BSARec(
        len(table) - 1,
        len(positions),
        table.shape[1],
        layers,
        hparams["n_heads"],
        inner,
        0.0,
        0.0,
        frequency_weight=hparams["alpha"],
        cutoff=hparams["c"],
    ).double()
    new = {
        "item_embedding.weight": torch.cat([table, table.new_zeros(1, table.shape[1])]),
        "position.weight": positions,
    }
    for kind in ("weight", "bias"):
        new[f"norm.{kind}"] = old[f"LayerNorm.{kind}"]
        for i in range(layers):
            block = f"item_encoder.blocks.{i}"
            new |= {f"layers.{i}.{ours}.{kind}": old[f"{block}.{theirs}.{kind}"] for ours, theirs in BLOCK.items()}
            parts = [old[f"{block}.layer.attention_layer.{part}.{kind}"] for part in ("key", "value")]
            new[f"layers.{i}.attention.key_value.{kind}"] = torch.cat(parts)
            new[f"layers.{i}.frequency.sqrt_beta"] = old[f"{block}.layer.filter_layer.sqrt_beta"].flatten()
    model.load_state_dict(new)
    return model


@pytest.fixture
def histories(golden: Callable[[str], Golden], to_right: Callable) -> Tensor:
    """Right-padded items ``(B, L)``."""
    windows = golden("bsarec")["in/item_seq"]
    return to_right(windows, windows)


def test_branches_of_the_first_layer(golden: Callable[[str], Golden]) -> None:
    reference = golden("bsarec")
    model, windows = build(reference), reference["in/item_seq"]
    x = model.norm(model.item_embedding(windows) + model.position.weight)
    mask, length = window_mask(windows != 0), windows.shape[1]
    reference.check("out/embedding", x)
    first = model.layers[0]
    reference.check("out/filter_branch_layer1", first.frequency(x, length))
    reference.check("out/attention_branch_layer1", first.attention(x, mask, length))
    reference.check("out/hidden_layer1", first(x, mask, length))
    reference.check("out/hidden", model.states(model.item_embedding(windows), windows != 0))


def test_states_and_scores_of_histories(golden: Callable[[str], Golden], histories: Tensor, to_left: Callable) -> None:
    reference = golden("bsarec")
    model, windows = build(reference), reference["in/item_seq"]
    reference.check("out/hidden", to_left(model(histories), windows), windows != 0)
    trimmed = histories[:, : int((histories != 0).sum(1).max())]
    user = model.newest(trimmed)
    reference.check("out/user_vector", user)
    reference.check("out/scores", user @ model.item_embedding.weight[:-1].T)


def learnt_at_newest(items: Tensor, target: Tensor) -> Batch:
    """A batch of histories ``(B, L)``, of which an empty one learns at its first column."""
    return make_batch(items, target, at_newest(items, target))


def test_older_positions_may_not_learn(golden: Callable[[str], Golden], histories: Tensor) -> None:
    loss = partial(next_item, padding_class=True)
    model = NextItem(build(golden("bsarec")), partial(torch.optim.Adam, lr=1e-3), loss)
    batch = learnt_at_newest(histories, golden("bsarec")["in/target"])
    with pytest.raises(ValueError, match="windows=prefixes"):
        model.training_step(batch._replace(next_items=histories), 0)


def test_training_step(golden: Callable[[str], Golden], histories: Tensor) -> None:
    reference = golden("bsarec")
    backbone = build(reference)
    loss = partial(next_item, padding_class=True)
    model = NextItem(backbone, partial(torch.optim.Adam, lr=1e-3), loss).train()
    batch = learnt_at_newest(histories, reference["in/target"])
    result = model.training_step(batch, 0)
    reference.check("out/loss", result)
    result.backward()
    compared = reference.group("grad/")
    assert compared
    ours: dict[str, Tensor | None] = {
        "item_embeddings.weight": gradients(backbone)["item_embedding.weight"][:-1],
        "position_embeddings.weight": backbone.position.weight.grad,
    }
    ours |= {f"LayerNorm.{kind}": getattr(backbone.norm, kind).grad for kind in ("weight", "bias")}
    parameters = dict(backbone.named_parameters())
    for i in range(len(backbone.layers)):
        block = f"item_encoder.blocks.{i}"
        for kind in ("weight", "bias"):
            ours |= {f"{block}.{b}.{kind}": parameters[f"layers.{i}.{a}.{kind}"].grad for a, b in BLOCK.items()}
            parts = parameters[f"layers.{i}.attention.key_value.{kind}"].grad.chunk(2)
            ours |= {
                f"{block}.layer.attention_layer.{part}.{kind}": gradient
                for part, gradient in zip(("key", "value"), parts, strict=True)
            }
        ours[f"{block}.layer.filter_layer.sqrt_beta"] = parameters[f"layers.{i}.frequency.sqrt_beta"].grad[None, None]
    for name in compared:
        reference.check(f"grad/{name}", ours[name])

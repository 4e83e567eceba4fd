"""SASRec against RecBole: post-norm trunk, softmax with the padding class, BPR, one pass for all prefixes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from seqrec.backbones.transformer import Transformer
from seqrec.functional.losses import bpr, next_item
from seqrec.nn.attention import DotProductAttention

LAYER = {
    "output": "multi_head_attention.dense",
    "attention_norm": "multi_head_attention.LayerNorm",
    "ffn_in": "feed_forward.dense_1",
    "ffn_out": "feed_forward.dense_2",
    "ffn_norm": "feed_forward.LayerNorm",
}


def build(golden) -> Transformer:
    table = golden["param/recbole.item_embedding.weight"]
    length, dim = golden["param/recbole.position_embedding.weight"].shape
    layers = sum(name.endswith("attention.query.bias") for name in golden.group("param/recbole."))
    inner = golden["param/recbole.trm_encoder.layer.0.feed_forward.dense_1.bias"].numel()
    heads = golden.meta["hyper"]["heads"]
    model = Transformer(
        len(table) - 1,
        length,
        dim,
        layers,
        heads,
        inner,
        0.0,
        0.0,
        DotProductAttention,
        positions="from_oldest",
    ).double()
    model.load_state_dict(state(golden, layers))
    return model


def state(golden, layers: int) -> dict[str, Tensor]:
    old = golden.group("param/recbole.")
    table = old["item_embedding.weight"]
    new = {
        "item_embedding.weight": torch.cat([table, torch.zeros_like(table[:1])]),
        "trunk.position.weight": old["position_embedding.weight"],
        "trunk.norm.weight": old["LayerNorm.weight"],
        "trunk.norm.bias": old["LayerNorm.bias"],
    }
    for i in range(layers):
        for kind in ("weight", "bias"):
            theirs = f"trm_encoder.layer.{i}"
            for ours, name in LAYER.items():
                new[f"trunk.layers.{i}.{ours}.{kind}"] = old[f"{theirs}.{name}.{kind}"]
            parts = [old[f"{theirs}.multi_head_attention.{part}.{kind}"] for part in ("query", "key", "value")]
            new[f"trunk.layers.{i}.attention.projection.{kind}"] = torch.cat(parts)
    return new


def check_gradients(golden, group: str, model: Transformer) -> None:
    ours: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        ours[name] = parameter.grad
    names = {
        "item_embedding.weight": ours["item_embedding.weight"][:-1],
        "position_embedding.weight": ours["trunk.position.weight"],
        "LayerNorm.weight": ours["trunk.norm.weight"],
        "LayerNorm.bias": ours["trunk.norm.bias"],
    }
    for i in range(len(model.trunk.layers)):
        for kind in ("weight", "bias"):
            theirs, layer = f"trm_encoder.layer.{i}", f"trunk.layers.{i}"
            for mine, name in LAYER.items():
                names[f"{theirs}.{name}.{kind}"] = ours[f"{layer}.{mine}.{kind}"]
            parts = ours[f"{layer}.attention.projection.{kind}"].chunk(3)
            for part, gradient in zip(("query", "key", "value"), parts, strict=True):
                names[f"{theirs}.multi_head_attention.{part}.{kind}"] = gradient
    compared = golden.group(f"grad/{group}.")
    assert compared
    for name in compared:
        golden.check(f"grad/{group}.{name}", names[name])


@pytest.mark.parametrize("training", [False, True])
def test_states_scores_and_losses(golden: Callable, training: bool) -> None:
    reference = golden("sasrec")
    model = build(reference).train(training)
    items, length = reference["in/seq_right_padded"], reference["in/length"]
    table = model.item_embedding.weight
    states = model(items)
    user = states[torch.arange(len(items)), length - 1]
    reference.check("out/recbole.hidden", states, items != 0)
    reference.check("out/recbole.user", user)
    reference.check("out/recbole.scores", user @ table[:-1].T)

    target, negative = reference["in/target"], reference["in/neg_target"]
    scores = bpr((user * table[target]).sum(-1), (user * table[negative]).sum(-1)[:, None])
    reference.check("out/recbole.loss_bpr", scores)

    loss = next_item(user, target, table, torch.zeros_like(target), padding_class=True)
    reference.check("out/recbole.loss_ce", loss)
    loss.backward()
    check_gradients(reference, "recbole", model)


@pytest.mark.parametrize("training", [False, True])
def test_one_causal_pass_is_all_prefixes(golden: Callable, training: bool) -> None:
    reference = golden("sasrec")
    model = build(reference).train(training)
    items, target = reference["in/seq_right_padded"], reference["in/pos_right_padded"]
    learnt = target != 0
    loss = next_item(
        model(items)[learnt], target[learnt], model.item_embedding.weight, target[learnt], padding_class=True
    )
    reference.check("out/recbole.loss_ce_all_prefixes", loss)
    loss.backward()
    check_gradients(reference, "recbole_all_prefixes", model)

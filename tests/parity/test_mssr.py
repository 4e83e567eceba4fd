"""MSSR against its official implementation: states of both streams, scores, losses and gradients.

The default reads the attribute stream after its first layer; ``out/hidden_attr_last`` belongs to a variant that reads
it after the last one, which is not implemented. Class 0 of the reference's predictor of attributes takes no part, nor
does the last bias of its gate, which cancels in a softmax.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from seqrec.backbones.mssr.mssr import MSSREncoder
from seqrec.data.batch import Batch
from seqrec.functional.losses import next_item
from seqrec.methods.mssr import MSSR
from tests.factories import at_newest, make_batch
from tests.parity.golden import Golden

HEAD = "trm_encoder.layer"
QUERIES = {
    "item_queries": ("query", "query_ic"),
    "attribute_queries": ("query_ci", "query_layers.0", "query_cp"),
    "position_queries": ("query_p", "query_pc"),
    "item_key": ("key",),
    "attribute_key": ("key_layers.0",),
    "position_key": ("key_p",),
}


def block(old: dict[str, Tensor], layer: int, value: str, suffix: str) -> dict[str, Tensor]:
    attention, ffn = f"{HEAD}.{layer}.multi_head_attention", f"{HEAD}.{layer}.feed_forward{suffix}"
    names = {
        "value": f"{attention}.{value}",
        "output": f"{attention}.dense{suffix}",
        "attention_norm": f"{attention}.LayerNorm{suffix}",
        "ffn_in": f"{ffn}.dense_1",
        "ffn_out": f"{ffn}.dense_2",
        "ffn_norm": f"{ffn}.LayerNorm",
    }
    return {f"{ours}.{kind}": old[f"{name}.{kind}"] for ours, name in names.items() for kind in ("weight", "bias")}


def released_state(old: dict[str, Tensor], layers: int, attributes: Tensor) -> dict[str, Tensor]:
    """The reference's parameters in our names; the mask token gets zeros."""
    table = old["item_embedding.weight"]
    new = {
        "backbone.item_embedding.weight": torch.cat([table, table.new_zeros(1, table.shape[1])]),
        "backbone.attributes": torch.cat([attributes, attributes.new_zeros(1, attributes.shape[1])]),
        "backbone.attribute_table": old["attribute_embedding"],
        "backbone.position.weight": old["position_embedding.weight"],
        "backbone.norm.weight": old["LayerNorm.weight"],
        "backbone.norm.bias": old["LayerNorm.bias"],
        "backbone.item_pairs": old["trm_encoder.fusion_wi"].view(3, 3),
        "backbone.attribute_pairs": old["trm_encoder.fusion_wc"].view(2, 2),
        "item_gate.weight": old["gating_linear.weight"],
        "attribute_gate.weight": old["aap_gate_linear.weight"],
        "alignment.weight": old["wi2c.weight"],
    }
    for kind in ("weight", "bias"):
        new[f"attributes_from_item.{kind}"] = old[f"api.0.{kind}"][1:]
        new[f"attributes_from_attribute.{kind}"] = old[f"apc.0.{kind}"][1:]
    for i in range(layers):
        theirs, ours = f"{HEAD}.{i}.multi_head_attention", f"backbone.scores.{i}"
        for name, parts in QUERIES.items():
            for kind in ("weight", "bias"):
                new[f"{ours}.{name}.{kind}"] = torch.cat([old[f"{theirs}.{part}.{kind}"] for part in parts])
        new[f"{ours}.gate.weight"] = old[f"{theirs}.fusion_layer.projection.0.weight"]
        new[f"{ours}.gate.bias"] = old[f"{theirs}.fusion_layer.projection.0.bias"]
        new[f"{ours}.energy.weight"] = old[f"{theirs}.fusion_layer.projection.2.weight"]
        items = block(old, i, "value", "")
        new |= {f"backbone.item_blocks.{i}.{name}": value for name, value in items.items()}
    attribute = block(old, 0, "value_layers.0", "_attr")
    return new | {f"backbone.attribute_block.{name}": value for name, value in attribute.items()}


def build(golden: Golden) -> MSSR:
    old, config = golden.group("param/"), golden.meta["config"]
    assert (config["fusion"], config["ada_fuse"], config["pooling"]) == ("gate", 1, "mean"), "the one form there is"
    attributes, table = golden["in/item_categories"], old["item_embedding.weight"]
    layers = sum(name.endswith("multi_head_attention.query.weight") for name in old)
    length, dim = old["position_embedding.weight"].shape
    classes, width = old["attribute_embedding"].shape
    inner = len(old[f"{HEAD}.0.feed_forward.dense_1.bias"])
    backbone = MSSREncoder(
        len(table) - 1, classes - 1, attributes.shape[1], length, dim, width, layers, config["heads"], inner, 0.0, 0.0
    )
    weights = {"attribute_weight": config["lambda_attr"], "alignment_weight": config["lambda_cl"]}
    rest = {"temperature": config["tau"], "dropout": 0.0, "alignment_dropout": 0.0}
    optimizer, loss = partial(torch.optim.Adam, lr=1e-3), partial(next_item, padding_class=True)
    model = MSSR(backbone, optimizer, loss, **weights, **rest).double()
    model.load_state_dict(released_state(old, layers, attributes))
    return model


def batch_of(golden: Golden) -> Batch:
    items, target = golden["in/item_seq"], golden["in/target"]
    assert torch.equal((items != 0).sum(1), golden["in/item_seq_len"])
    return make_batch(items, target, at_newest(items, target))


def test_states_gates_and_scores(golden: Callable[[str], Golden]) -> None:
    reference = golden("mssr")
    model, batch = build(reference).eval(), batch_of(reference)
    valid = batch.items != 0
    item, attribute = model.streams(model.backbone(batch.items))
    reference.check("out/hidden_item", item, valid)
    reference.check("out/hidden_attr_layer1", attribute, valid)
    both = model.backbone.newest(batch.items)
    user, user_attribute = model.streams(both)
    reference.check("out/user", user)
    reference.check("out/user_attr", user_attribute)
    reference.check("out/candidate_attr", model.backbone.attribute_matrix[:-1])
    reference.check("out/item_gate", torch.sigmoid(model.item_gate(both)))
    reference.check("out/attr_gate", torch.sigmoid(model.attribute_gate(both)))
    reference.check("out/scores", model.query(batch.histories) @ model.backbone.table[:-1].T)
    reference.close("scores", model.score(batch.histories), reference["out/scores"][:, 1:])


def test_trimmed_rows_are_the_same(golden: Callable[[str], Golden]) -> None:
    reference = golden("mssr")
    model, items = build(reference).eval(), reference["in/item_seq"]
    for row, length in zip(items, reference["in/item_seq_len"].tolist(), strict=True):
        for width in {length, min(length + 1, len(row)), len(row)}:
            torch.testing.assert_close(model.backbone.newest(row[None, :width]), model.backbone.newest(row[None]))
    whole = model.backbone(items)
    for row, length, states in zip(items, reference["in/item_seq_len"].tolist(), whole, strict=True):
        torch.testing.assert_close(model.backbone(row[None, :length])[0], states[:length])


def test_losses_and_gradients(golden: Callable[[str], Golden]) -> None:
    reference = golden("mssr")
    model, batch = build(reference).train(), batch_of(reference)
    model.backbone.attribute_table.requires_grad_()  # the reference says what its gradient would be
    both = model.backbone.newest(batch.items)
    table = model.backbone.table
    reference.check("out/loss_item", model.loss(model.gated(both), batch.target, table, batch.row))
    reference.check("out/loss_attr", model.attribute_loss(both, batch.target))
    reference.check("out/loss_cl", model.alignment_loss(both))
    total = model.training_step(batch, 0)
    reference.check("out/loss_total", total)
    total.backward()
    of = {name: parameter.grad for name, parameter in model.named_parameters()}
    dim = model.backbone.dim
    found = {
        "item_embedding.weight": of["backbone.item_embedding.weight"][:-1],
        "position_embedding.weight": of["backbone.position.weight"],
        "trm_encoder.fusion_wi": of["backbone.item_pairs"].view(1, 9),
        "trm_encoder.fusion_wc": of["backbone.attribute_pairs"].view(1, 4),
        f"{HEAD}.0.multi_head_attention.query_ic.weight": of["backbone.scores.0.item_queries.weight"][dim:],
        "wi2c.weight": of["alignment.weight"],
        "attribute_embedding": model.backbone.attribute_table.grad,
    }
    assert set(found) == set(reference.group("grad/"))
    for name, gradient in found.items():
        reference.check(f"grad/{name}", gradient)

"""LRURec against its official implementation: states at items and at padding, scores, loss and gradients.

``out/scores_masked`` hides the items of the input window; here the ranking takes the items of the whole history
out, which the protocol decides, so of that array only the scores that it leaves are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from seqrec.backbones.lru.lru import LRU
from seqrec.data.batch import Batch
from seqrec.functional.losses import next_item
from seqrec.methods.lrurec import LRURec
from seqrec.nn.packing import Packing
from tests.factories import make_batch
from tests.parity.golden import Golden, gradients

RELEASED = {
    "recurrence_norm": "lru_layer.layer_norm",
    "ffn_in": "feed_forward.w_1",
    "ffn_out": "feed_forward.w_2",
    "ffn_norm": "feed_forward.layer_norm",
}


def interleaved(real: Tensor, imaginary: Tensor) -> Tensor:
    return torch.stack([real, imaginary], -1).flatten(-2)


def released_state(old: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The reference's parameters in our names; the mask token gets zeros."""
    table, bias = old["embedding.token.weight"], old["model.bias"]
    new = {
        "backbone.item_embedding.weight": torch.cat([table, table.new_zeros(1, table.shape[1])]),
        "backbone.norm.weight": old["embedding.layer_norm.weight"],
        "backbone.norm.bias": old["embedding.layer_norm.bias"],
        "item_bias": torch.cat([bias, bias.new_zeros(1)]),
    }
    for i in range(layers):
        ours, theirs = f"backbone.blocks.{i}", f"model.lru_blocks.{i}"
        for name, other in RELEASED.items():
            for kind in ("weight", "bias"):
                new[f"{ours}.{name}.{kind}"] = old[f"{theirs}.{other}.{kind}"]
        part = {
            f"{side}.{kind}": (old[f"{theirs}.lru_layer.{side}_proj.{kind}#real"],
                               old[f"{theirs}.lru_layer.{side}_proj.{kind}#imag"])
            for side in ("in", "out") for kind in ("weight", "bias")
        }  # fmt: skip
        new[f"{ours}.recurrence.ring_log"] = old[f"{theirs}.lru_layer.params_log"]
        real, imaginary = part["in.weight"]
        new[f"{ours}.recurrence.input.weight"] = interleaved(real.T, imaginary.T).T
        new[f"{ours}.recurrence.input.bias"] = interleaved(*part["in.bias"])
        real, imaginary = part["out.weight"]
        new[f"{ours}.recurrence.output.weight"] = interleaved(real, -imaginary)
        new[f"{ours}.recurrence.output.bias"] = part["out.bias"][0]  # the imaginary part reaches no output
    return new


def build(golden: Golden) -> LRURec:
    old = golden.group("param/")
    table = old["embedding.token.weight"]
    layers = sum(name.endswith("params_log") for name in old)
    state_dim = old["model.lru_blocks.0.lru_layer.params_log"].shape[1]
    inner = len(old["model.lru_blocks.0.feed_forward.w_1.weight"])
    backbone = LRU(len(table) - 1, table.shape[1], layers, state_dim, inner, 0.0, 0.0)
    optimizer = partial(torch.optim.AdamW, lr=1e-3)
    loss = partial(next_item, padding_class=True)
    model = LRURec(backbone, optimizer, loss, max_length=golden["in/item_seq"].shape[1]).double()
    model.load_state_dict(released_state(old, layers))
    return model


def right_padded(golden: Golden, to_right: Callable) -> Batch:
    """The reference's rows; its labels hold the targets, and the first item at the last padding position."""
    ids, labels = golden["in/item_seq"], golden["in/label_seq"]
    items = to_right(ids, ids)
    next_items = to_right(labels, ids) * (items != 0)
    return make_batch(items, labels[:, -1], next_items)


def test_first_items_are_labels_of_padding(golden: Callable[[str], Golden]) -> None:
    reference = golden("lrurec")
    ids, labels = reference["in/item_seq"], reference["in/label_seq"]
    padding = ids == 0
    follows_nothing = padding[:, :-1] & ~padding[:, 1:]
    assert follows_nothing.any()
    assert torch.equal(labels[:, :-1][follows_nothing], ids[:, 1:][follows_nothing])
    assert int((labels[padding] != 0).sum()) == int(follows_nothing.sum())


def test_states_and_scores(golden: Callable[[str], Golden], to_right: Callable) -> None:
    reference = golden("lrurec")
    model = build(reference)
    batch, ids = right_padded(reference, to_right), reference["in/item_seq"]
    backbone, valid = model.backbone, batch.items != 0
    packing = Packing(valid)
    tokens = backbone.norm(packing.pack(backbone.item_embedding(batch.items)))
    block = backbone.blocks[0]
    after_layer = block.recurrence_norm(tokens + block.recurrence(tokens, packing))
    nothing = model.states_of_nothing(1)[0]
    for name, states in (
        ("embedding", packing.unpack(tokens)),
        ("lru_layer1", packing.unpack(after_layer)),
        ("hidden", backbone(batch.items)),
    ):
        expected = to_right(reference[f"out/{name}"], ids)
        reference.close(name, states[valid], expected[valid])
    at_padding = reference["out/hidden"][ids == 0]
    reference.close("states of padding", nothing.expand_as(at_padding), at_padding)
    reference.check("out/user_vector", model.query(batch.histories))

    scores = model.score(batch.histories)
    reference.close("scores", scores, reference["out/scores"][:, 1:])
    masked = reference["out/scores_masked"][:, 1:]
    left = masked > -1e8
    assert not left.gather(1, (ids[:, -1:] - 1)).any()
    reference.close("masked scores", scores[left], masked[left])


def test_loss_and_gradients(golden: Callable[[str], Golden], to_right: Callable) -> None:
    reference = golden("lrurec")
    model = build(reference).train()
    loss = model.training_step(right_padded(reference, to_right), 0)
    reference.check("out/loss", loss)
    loss.backward()
    compared = reference.group("grad/")
    ours_by_name = gradients(model)
    found = {
        "embedding.token.weight": ours_by_name["backbone.item_embedding.weight"][:-1],
        "model.bias": ours_by_name["item_bias"][:-1],
    }
    blocks: Any = model.backbone.blocks
    for i in range(len(blocks)):
        ours, theirs = f"backbone.blocks.{i}", f"model.lru_blocks.{i}"
        found[f"{theirs}.lru_layer.params_log"] = ours_by_name[f"{ours}.recurrence.ring_log"]
        for kind in ("weight", "bias"):
            of_input = ours_by_name[f"{ours}.recurrence.input.{kind}"]
            found[f"{theirs}.lru_layer.in_proj.{kind}#real"] = of_input[0::2]
            found[f"{theirs}.lru_layer.in_proj.{kind}#imag"] = of_input[1::2]
            for name, other in RELEASED.items():
                found[f"{theirs}.{other}.{kind}"] = ours_by_name[f"{ours}.{name}.{kind}"]
        of_output = ours_by_name[f"{ours}.recurrence.output.weight"]
        found[f"{theirs}.lru_layer.out_proj.weight#real"] = of_output[:, 0::2]
        found[f"{theirs}.lru_layer.out_proj.weight#imag"] = -of_output[:, 1::2]
        found[f"{theirs}.lru_layer.out_proj.bias#real"] = ours_by_name[f"{ours}.recurrence.output.bias"]
    assert compared
    for name in compared:
        reference.check(f"grad/{name}", found[name])

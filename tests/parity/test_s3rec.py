"""S3-Rec against RecBole: the four terms of pre-training, fine-tuning, and gradients of both.

The file's other reference (keys without ``rb_``), the official code, fine-tunes by pairs at all positions and has a
further attribute class; it is not compared: the project implements one reference a model.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from seqrec.backbones.transformer import Transformer
from seqrec.functional.losses import whole_table
from seqrec.functional.self_supervision import Segments
from seqrec.methods.next_item import NextItem
from seqrec.methods.s3rec import S3RecPretraining, distinct
from seqrec.nn.trunk import Positions
from tests.parity import official, recbole
from tests.parity.golden import Golden

ADAM = partial(torch.optim.Adam, lr=1e-3)


def backbone(golden: Golden, causal: bool, positions: Positions) -> Transformer:
    return official.build(golden, golden.meta["config"]["heads"], "", causal, positions)


def pretraining(golden: Golden) -> S3RecPretraining:
    attributes, weights = golden["in/item_attributes"], golden.meta["config"]["weights"]
    classes = golden["param/attribute_embeddings.weight"][1:]
    model = S3RecPretraining(
        backbone(golden, causal=False, positions="from_newest"),
        ADAM,
        num_attributes=len(classes),
        attributes_per_item=attributes.shape[1],
        mask_ratio=0.2,
        **{f"{name}_weight": weight for name, weight in weights.items()},
    ).double()
    model.attributes.copy_(distinct(attributes))
    model.attribute_embedding.weight.data.copy_(classes)
    for name, head in model.heads.items():
        head.load_state_dict(golden.group(f"param/{name}_norm."))
    return model


def test_attributes_of_the_batch(golden: Callable[[str], Golden]) -> None:
    reference = golden("s3rec")
    ids = pretraining(reference).attributes[reference["in/rb_pos_items"]]
    many = torch.zeros(*ids.shape[:2], reference["in/rb_attributes"].shape[2] + 1, dtype=torch.int64)
    reference.check("in/rb_attributes", many.scatter(2, ids, 1)[..., 1:])


def test_pretraining(golden: Callable[[str], Golden], to_right: Callable[[Tensor, Tensor], Tensor]) -> None:
    reference = golden("s3rec")
    model = pretraining(reference)
    left = reference["in/rb_pos_items"]
    names = ("pos_items", "masked_items", "neg_items", "masked_segment", "pos_segment", "neg_segment")
    items, masked, negative, *segments = (to_right(reference[f"in/rb_{name}"], left) for name in names)
    hidden = masked == model.backbone.mask_token
    assert 0 < hidden.sum() < (items != 0).sum()
    terms = model.terms(items, hidden, negative, Segments(*segments))
    total = model.total(terms)
    for name, value in terms.items():
        reference.check(f"out/rb_pre_loss_{name}", value)
    reference.check("out/rb_pre_loss_total", total)
    total.backward()
    reference.check("grad/rb_pre/item_embedding.weight", model.backbone.item_embedding.weight.grad)
    reference.check("grad/rb_pre/feature_embedding.weight", model.attribute_embedding.weight.grad)


def test_fine_tuning_starts_from_the_same_names(golden: Callable[[str], Golden]) -> None:
    reference = golden("s3rec")
    model = NextItem(backbone(reference, causal=True, positions="from_oldest"), ADAM, loss=whole_table)
    model.backbone.load_state_dict(pretraining(reference).backbone.state_dict())
    items, length = reference["in/rb_item_seq"], reference["in/rb_item_seq_len"]
    states = model.backbone(items)
    user = model.backbone.newest(items)
    table = model.backbone.item_embedding.weight
    assert torch.equal(length, (items != 0).sum(1))
    reference.check("out/rb_hidden", states, items != 0)
    reference.check("out/rb_user", user)
    reference.check("out/rb_scores", user @ table[:-1].T)
    batch = recbole.prefix_batch(items, reference["in/rb_target"], torch.arange(len(items)))
    loss = model.next_item_loss(model.loss, batch)
    reference.check("out/rb_loss_finetune", loss)
    loss.backward()
    reference.check("grad/rb_finetune/item_embedding.weight", table.grad)
    reference.check(
        "grad/rb_finetune/position_embedding.weight", model.backbone.get_parameter("trunk.position.weight").grad
    )

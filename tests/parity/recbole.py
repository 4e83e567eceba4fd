"""RecBole's post-norm SASRec trunk, which several references share, in our names; sizes come from the arrays."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqrec.backbones.base import Backbone
from seqrec.backbones.transformer import Transformer
from seqrec.data.batch import Batch
from seqrec.functional.in_batch.hard_negatives import enduring_info_nce
from seqrec.functional.in_batch.info_nce import info_nce, negatives
from seqrec.nn.attention import DotProductAttention
from tests.factories import at_newest
from tests.parity.golden import Golden, gradients

LAYER = {
    "output": "multi_head_attention.dense",
    "attention_norm": "multi_head_attention.LayerNorm",
    "ffn_in": "feed_forward.dense_1",
    "ffn_out": "feed_forward.dense_2",
    "ffn_norm": "feed_forward.LayerNorm",
}


def build(golden: Golden, heads: int, num_items: int, group: str = "", causal: bool = True) -> Transformer:
    """The backbone with the parameters ``param/<group>*``."""
    old = golden.group(f"param/{group}")
    length, dim = old["position_embedding.weight"].shape
    layers = sum(name.endswith("attention.query.bias") for name in old)
    inner = old["trm_encoder.layer.0.feed_forward.dense_1.bias"].numel()
    model = Transformer(
        num_items,
        length,
        dim,
        layers,
        heads,
        inner,
        0.0,
        0.0,
        DotProductAttention,
        causal,
        positions="from_oldest",
    ).double()
    model.load_state_dict(state(old, layers, num_items))
    return model


def state(old: dict[str, Tensor], layers: int, num_items: int) -> dict[str, Tensor]:
    """Parameters in our names; a table without a mask row gets one of zeros."""
    table = old["item_embedding.weight"]
    new = {
        "item_embedding.weight": torch.cat([table, table.new_zeros(num_items + 2 - len(table), table.shape[1])]),
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


def check_gradients(golden: Golden, model: Backbone, group: str = "", **more: Tensor | None) -> None:
    """Compare all arrays ``grad/<group>*``; ``more`` are gradients of what is not the backbone's, by name."""
    ours = gradients(model)
    trunk: Any = model.trunk
    compared = golden.group(f"grad/{group}")
    assert compared
    names: dict[str, Tensor | None] = {
        **more,
        "item_embedding.weight": ours["item_embedding.weight"][: len(compared["item_embedding.weight"])],
        "position_embedding.weight": ours["trunk.position.weight"],
        "LayerNorm.weight": ours["trunk.norm.weight"],
        "LayerNorm.bias": ours["trunk.norm.bias"],
    }
    for i in range(len(trunk.layers)):
        for kind in ("weight", "bias"):
            theirs, layer = f"trm_encoder.layer.{i}", f"trunk.layers.{i}"
            for mine, name in LAYER.items():
                names[f"{theirs}.{name}.{kind}"] = ours[f"{layer}.{mine}.{kind}"]
            parts = ours[f"{layer}.attention.projection.{kind}"].chunk(3)
            for part, gradient in zip(("query", "key", "value"), parts, strict=True):
                names[f"{theirs}.multi_head_attention.{part}.{kind}"] = gradient
    for name in compared:
        golden.check(f"grad/{group}{name}", names[name])


def newest_state(states: Tensor, items: Tensor) -> Tensor:
    """``(B, L, D)`` -> ``(B, D)``."""
    return states[torch.arange(len(items)), (items != 0).sum(1) - 1]


def prefix_batch(items: Tensor, target: Tensor, row: Tensor) -> Batch:
    """Histories ``(B, L)`` that are learnt at their newest item."""
    return Batch(row, row, items, target, at_newest(items, target))


def check_contrasts(golden: Golden, first: Tensor, second: Tensor) -> None:
    """Compare what InfoNCE and FENRec's contrast make of two views ``(B, D)``.

    ``out/cl_logits`` holds the positive of each row, then the negatives in their order.
    """
    rows = len(first)
    both = torch.cat([first, second])
    products = both @ both.T / golden.meta["tau"]
    partner = torch.arange(2 * rows).roll(rows)
    others = products[negatives(None, rows, first.device)].view(2 * rows, -1)
    golden.check("out/cl_logits", torch.cat([products.gather(1, partner[:, None]), others], 1))
    golden.check("out/cl_loss", info_nce(first, second, None, golden.meta["tau"]))
    hard = enduring_info_nce(
        first,
        second,
        None,
        noise=first[:0],
        temperature=golden.meta["fenrec_tau1"],
        scale=golden.meta["fenrec_tau2"],
        margin=golden.meta["fenrec_m"],
        mix_ratio=golden.meta["fenrec_mix_ratio"],
        hard_weight=golden.meta["fenrec_mu"],
    )
    golden.check("out/fenrec/cl_loss", hard)

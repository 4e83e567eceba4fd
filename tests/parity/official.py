"""The Transformer of the S3-Rec family (S3-Rec, MVS) from its released parameter names; sizes come from the arrays."""

from __future__ import annotations

import torch
from torch import Tensor

from seqrec.backbones.transformer import Transformer
from seqrec.nn.attention import DotProductAttention
from seqrec.nn.trunk import Positions
from tests.parity.golden import Golden
from tests.parity.icsrec_golden import names


def build(golden: Golden, heads: int, group: str, causal: bool, positions: Positions) -> Transformer:
    """The backbone with the parameters ``param/<group>*``."""
    old = golden.group(f"param/{group}")
    table, length = old["item_embeddings.weight"], len(old["position_embeddings.weight"])
    ffn = len(old["item_encoder.layer.0.intermediate.dense_1.bias"])
    model = Transformer(
        len(table) - 2,
        length,
        table.shape[1],
        num_layers(golden, group),
        heads,
        ffn,
        0.0,
        0.0,
        DotProductAttention,
        causal,
        positions,
    ).double()
    model.load_state_dict({ours: torch.cat([old[name] for name in theirs]) for ours, theirs in mapping(golden, group)})
    return model


def num_layers(golden: Golden, group: str) -> int:
    """Layers of the parameters ``param/<group>*``."""
    return sum(name.endswith("query.bias") for name in golden.group(f"param/{group}"))


def mapping(golden: Golden, group: str) -> list[tuple[str, list[str]]]:
    """Our parameter names and those that each is made of."""
    return names(num_layers(golden, group))


def left_rows(items: Tensor, length: int) -> Tensor:
    """Right-padded rows ``(B, L)`` to rows of ``length`` columns with padding on the left."""
    wide = torch.nn.functional.pad(items, (0, length - items.shape[1]))
    return torch.stack([row.roll(int((row == 0).sum())) for row in wide])

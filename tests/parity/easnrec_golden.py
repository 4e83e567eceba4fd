"""EASNRec's golden file in our names and layout."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from seqrec.backbones.transformer import Transformer
from seqrec.data.batch import Batch
from seqrec.functional.augment import choose
from seqrec.functional.augment_states import drop_out, hide, perturb
from seqrec.functional.pooling import newest
from seqrec.methods.easnrec.easnrec import EASNRec
from seqrec.methods.easnrec.memory import ExternalMemory
from seqrec.methods.easnrec.siamese import FullyConnected
from seqrec.methods.easnrec.uncertainty import CLOSE, UncertaintyAttention
from seqrec.nn.attention import PAIRS
from seqrec.nn.packing import Packing
from seqrec.nn.trunk import TransformerTrunk
from tests.parity.golden import Golden

LAYER = {
    "output": "dense",
    "attention_norm": "attn_norm",
    "ffn_in": "ffn1",
    "ffn_out": "ffn2",
    "ffn_norm": "ffn_norm",
}


PROJECTIONS = ("query", "key", "value", "query_p", "key_p")


MEMORY = {
    "addressing.w_a": "w_a",
    "w_w": "w_w",
    "w_u": "w_u",
    "w_r": "w_r",
    "w_c": "w_c",
    "fusion.norm.weight": "norm.weight",
    "fusion.norm.bias": "norm.bias",
}


def packed_noise(noise: Tensor, left: Tensor, to_right: Callable, packing: Packing) -> Tensor:
    """``(2, B, H, L, D / H)`` for left-padded queries and keys -> ``(N, 2 * D)``."""
    return packing.pack(to_right(noise.permute(1, 3, 0, 2, 4).flatten(2), left))


def feed(kernel: UncertaintyAttention, noise: list[Tensor], packing: Packing) -> None:
    """The kernel's next noises, packed ``(N, 2 * D)``: those of the queries, then those of the keys of each group."""
    queue: list[Tensor] = []

    def keep(padded: Tensor, valid: Tensor) -> Tensor:
        queue.extend(kernel.split_heads(padded))
        return padded

    for packed in noise:
        packing.by_length(keep, packed, PAIRS, CLOSE)
    following = iter(queue)
    kernel.noise = lambda like: next(following)  # type: ignore[method-assign]


def draws(reference: Golden, left: Tensor, to_right: Callable) -> list[Tensor]:
    names = ("in/hidden", "in/aug_dropout_keep", "in/aug_delta", "in/aug_mask_positions")
    return [to_right(reference[name], left) for name in names]


def given_augmentation(reference: Golden, to_right: Callable, taken: Tensor, valid: Tensor, keys: Tensor) -> Tensor:
    """The dynamic augmentation of the newest states, with the golden file's draws."""
    _, keep, delta, hidden = draws(reference, reference["in/item_seq"], to_right)
    window = taken.shape[1]
    keep, delta = (newest(x, valid, window)[0] for x in (keep, delta))
    hidden = newest(hidden[..., None], valid, window)[0][..., 0]
    return choose(reference["in/aug_choice"], drop_out(taken, keep), perturb(taken, delta), hide(taken, hidden))


def no_encoder(*_: Any) -> NoReturn:
    raise AssertionError("a contrast of states encodes nothing")


def trunk_state(reference: Golden, player: str) -> dict[str, Tensor]:
    """Parameters of a trunk in our names."""
    old = reference.group(f"param/full.{player}.")
    state = {"position.weight": old["position.weight"]}
    state |= {f"norm.{kind}": old[f"norm.{kind}"] for kind in ("weight", "bias")}
    for i in range(reference.meta["hparams"]["n_layers"]):
        for kind in ("weight", "bias"):
            for ours, theirs in LAYER.items():
                state[f"layers.{i}.{ours}.{kind}"] = old[f"layers.{i}.{theirs}.{kind}"]
            parts = [old[f"layers.{i}.{part}.{kind}"] for part in PROJECTIONS]
            state[f"layers.{i}.attention.projection.{kind}"] = torch.cat(parts)
    state |= {f"memory.{ours}": old[f"memory.{theirs}"] for ours, theirs in MEMORY.items()}
    if "memory.w_o" in old:
        state["memory.fusion.w_o.weight"] = old["memory.w_o"]
    return state | {"memory.memory": reference[f"in/full_memory_{player}"]}


def full_model(reference: Golden, contrast: Any = no_encoder) -> EASNRec:
    sizes = reference.meta["hparams"]
    memory = partial(ExternalMemory, num_slots=sizes["slots"], dropout=0.0, slot_dim=sizes["dm_full"])
    attention = partial(UncertaintyAttention, noise_std=0.01)
    shape: dict[str, Any] = {
        "dim": sizes["d"],
        "max_length": sizes["L"],
        "num_layers": sizes["n_layers"],
        "num_heads": sizes["n_heads"],
        "ffn_dim": sizes["ffn_inner"],
        "dropout": 0.0,
        "attention_dropout": 0.0,
        "attention": attention,
        "positions": "from_newest",
        "memory": memory,
    }
    backbone = Transformer(sizes["num_items"], causal=True, **shape)
    generator = TransformerTrunk(causal=False, **shape)
    model = EASNRec(
        backbone,
        torch.optim.Adam,
        generator,
        contrast,
        FullyConnected(sizes["d"]),
        "simultaneous",
        mask_ratio=sizes["mask_ratio"],
        window=sizes["k"],
        generator_similarity_weight=sizes["lambda_1"],
        discriminator_similarity_weight=sizes["lambda_2"],
        contrast_weight=sizes["lambda_3"],
        generator_weight=sizes["lambda_4"],
        discriminator_weight=sizes["lambda_5"],
    ).double()
    model.backbone.trunk.load_state_dict(trunk_state(reference, "encoder"))
    model.generator.load_state_dict(trunk_state(reference, "generator"))
    model.backbone.item_embedding.weight.data = reference["param/full.item_embedding.weight"]
    model.head.load_state_dict(reference.group("param/full.disc_head."))
    model.siamese.load_state_dict(reference.group("param/full.siamese."))
    return model


def full_batch(reference: Golden, to_right: Callable) -> Batch:
    left, target = reference["in/item_seq"], reference["in/target"]
    items = to_right(left, left)
    newest_column = (items != 0).sum(1) - 1
    next_items = items.roll(-1, 1)
    next_items[torch.arange(len(items)), newest_column] = target
    return Batch(target, target, items, target, next_items * (items != 0))


def trunk_gradient(trunk: nn.Module, name: str) -> Tensor | None:
    """The gradient of a parameter that the golden file calls ``name``."""
    if name.startswith("layers."):
        _, i, part, kind = name.split(".")
        if part in PROJECTIONS:
            stacked = trunk.get_parameter(f"layers.{i}.attention.projection.{kind}").grad
            return stacked.chunk(len(PROJECTIONS))[PROJECTIONS.index(part)]
        ours = {theirs: mine for mine, theirs in LAYER.items()}[part]
        return trunk.get_parameter(f"layers.{i}.{ours}.{kind}").grad
    if name.startswith("memory."):
        ours = {theirs: mine for mine, theirs in MEMORY.items()}[name.removeprefix("memory.")]
        return trunk.get_parameter(f"memory.{ours}").grad
    return trunk.get_parameter(name).grad

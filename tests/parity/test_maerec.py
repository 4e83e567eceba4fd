"""MAERec against its form in SSLRec: graph, sampler, masker, losses and gradients of a step with a new mask.

The file's second reference, ``orig.*``, is another recommender with other losses (causal, sampled, no logarithm) and
is not compared: the project implements one reference a model. Its windows are padded on the left, ours on the right.

Gradients of nodes without neighbours are left out: the reference adds and subtracts about 1e12 in float32 there (the
slope of a direction at a vector of zero) and what it stores is 0, whatever the losses say.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from seqrec.backbones.graph_transformer import GraphTransformer
from seqrec.data.batch import Batch
from seqrec.data.indices.item_graph import transitions
from seqrec.data.windows import Windows
from seqrec.methods.maerec.loss_trend import LossTrend
from seqrec.methods.maerec.maerec import MAERec
from seqrec.nn.graph import normalised
from tests.factories import make_batch, make_sequences, record_terms
from tests.parity.golden import Golden

BLOCK = {
    "output.weight": "attention.output_linear.weight",
    "output.bias": "attention.output_linear.bias",
    "ffn_in.weight": "feed_forward.w_1.weight",
    "ffn_in.bias": "feed_forward.w_1.bias",
    "ffn_out.weight": "feed_forward.w_2.weight",
    "ffn_out.bias": "feed_forward.w_2.bias",
    "attention_norm.weight": "input_sublayer.norm.weight",
    "attention_norm.bias": "input_sublayer.norm.bias",
    "ffn_norm.weight": "output_sublayer.norm.weight",
    "ffn_norm.bias": "output_sublayer.norm.bias",
}


def build(golden: Golden) -> MAERec:
    """The model on the file's graph."""
    old, hyper = golden.group("param/sslrec."), golden.meta["hyper"]
    table, positions = old["encoder.item_emb"], old["emb_layer.position_emb.weight"]
    depth = sum(name.endswith("w_1.bias") for name in old)
    inner = len(old["transformer_layers.0.feed_forward.w_1.bias"])
    heads, graph_layers = hyper["num_attention_heads"], hyper["num_gcn_layers"]
    length, dim = positions.shape
    backbone = GraphTransformer(len(table) - 1, length, dim, graph_layers, depth, heads, inner, 0.0, 0.0)
    model = MAERec(
        backbone,
        partial(torch.optim.Adam, lr=1e-3),
        distance=3,
        num_seeds=hyper["num_mask_cand"],
        mask_depth=hyper["mask_depth"],
        path_ratio=hyper["path_prob"],
        mask_steps=hyper["mask_steps"],
        num_edges=hyper["con_batch"],
        num_negatives=hyper["num_reco_neg"],
        reconstruction_weight=hyper["ssl_reg"],
        norm_weight=hyper["reg"],
        low_reward=hyper["eps"],
    ).double()
    new = dict(model.trend.state_dict(prefix="trend.")) | {
        "backbone.item_embedding.weight": torch.cat([table, table.new_zeros(1, dim)]),
        "backbone.trunk.position.weight": positions,
    }
    for kind in ("weight", "bias"):
        new |= {f"decoder.maps.{i}.{kind}": old[f"decoder.MLP.{2 * i}.{kind}"] for i in range(3)}
        for i in range(depth):
            parts = [old[f"transformer_layers.{i}.attention.linear_layers.{n}.{kind}"] for n in range(3)]
            new[f"backbone.trunk.layers.{i}.attention.projection.{kind}"] = torch.cat(parts)
    for i in range(depth):
        ours, theirs = f"backbone.trunk.layers.{i}", f"transformer_layers.{i}"
        new |= {f"{ours}.{a}": old[f"{theirs}.{b}"] for a, b in BLOCK.items()}
    model.load_state_dict(new)
    backbone.connect(golden["in/adj_rows"], golden["in/adj_cols"])
    return model.train()


def draws(golden: Golden) -> Any:
    """The file's random choices, as uniform numbers that lead to them."""
    hyper = golden.meta["hyper"]
    kept = [(~golden[f"in/edge_keep_{i}"]).double() for i in range(hyper["mask_depth"])]  # 0 is kept, 1 is not
    orders = [golden[f"in/masker_perm_{i}"].argsort() for i in range(hyper["mask_depth"] - 1)]
    values = iter([*kept, golden["in/node_noise_uniform"], *orders])

    def draw(count: int) -> Tensor:
        value = next(values)
        assert len(value) == count
        return value

    return draw


def test_graph(golden: Callable[[str], Golden]) -> None:
    reference = golden("maerec")
    rows = reference["in/graph_seqs"]
    num_items = reference.meta["sizes"]["V"] - 1
    sequences = make_sequences([row[row != 0] for row in rows], num_items)
    start, stop = sequences.offsets[:-1], sequences.offsets[1:]
    windows = Windows(sequences, torch.arange(len(rows)), start, stop, all_positions=False)
    found = transitions(windows, distance=3)
    reference.check("in/adj_rows", found[0])
    reference.check("in/adj_cols", found[1])
    reference.check("out/adj_vals", normalised(*found, num_items + 1, torch.float64).values)


def test_sampler_and_masker(golden: Callable[[str], Golden]) -> None:
    reference = golden("maerec")
    model = build(reference)
    scores = model.renew_mask(draws(reference))
    reference.check("out/sampler_scores", scores)
    reference.check("out/seeds", scores.topk(model.num_seeds).indices)
    reference.check("out/masked_edges", model.masked_edges)
    graph = model.masked_graph
    reference.check("out/masked_adj_rows", graph.columns)
    columns = torch.repeat_interleave(torch.arange(len(scores)), graph.offsets.diff())
    reference.check("out/masked_adj_cols", columns)
    reference.check("out/masked_adj_vals", graph.values)
    reference.check("out/item_emb_masked", torch.stack(model.backbone.layers(graph)).sum(0))
    reference.check("out/item_emb_full", model.backbone.table())


def test_rewards(golden: Callable[[str], Golden]) -> None:
    reference = golden("maerec")
    found = []
    for losses in re.findall(r"\[(\d[\d.,]*,[\d.,]+)\]", reference.meta["keys"]["out/rewards"]):  # [2,1.5], ...
        trend = LossTrend(reference.meta["hyper"]["eps"]).double()
        for loss in losses.split(","):
            trend.append(torch.tensor(float(loss)))
        found.append(trend.reward())
    reference.check("out/rewards", torch.stack(found))


@pytest.fixture
def batch(golden: Callable[[str], Golden], to_right: Callable) -> Batch:
    reference = golden("maerec")
    windows = reference["in/seq_left_padded"]
    items = to_right(windows, windows)
    return make_batch(items[:, : int((items != 0).sum(1).max())], reference["in/target"])


def test_training_step(golden: Callable[[str], Golden], batch: Batch) -> None:
    reference = golden("maerec")
    model = build(reference)
    edges, negatives = reference["in/pos_edges"], reference["in/neg_edges"]
    half = negatives.shape[1] // 2
    assert torch.equal(negatives[:, :half, 0], edges[:, :1].expand(-1, half))
    assert torch.equal(negatives[:, half:, 1], edges[:, 1:].expand(-1, half))
    logged: dict[str, Tensor] = {}
    record_terms(model, logged.update)
    model._draws = lambda batch_index: draws(reference)  # type: ignore[method-assign]
    model.drawn_edges = lambda batch_index: (edges, negatives[:, :half, 1], negatives[:, half:, 0])  # type: ignore
    loss = model.training_step(batch, 0)
    reference.check("out/sslrec.loss_total", loss)
    reference.check("out/sslrec.loss_main", logged["train/recommendation"])
    reference.check("out/sslrec.loss_reco", logged["train/reconstruction"])
    reference.check("out/sslrec.loss_regu", model.norm_weight * model.squared_norm())
    reference.check("out/sslrec.loss_mask", -model.renew_mask(draws(reference)).mean())
    loss.backward()
    ours = {name: parameter.grad for name, parameter in model.named_parameters()}
    names = {
        "encoder.item_emb": ours["backbone.item_embedding.weight"][:-1],
        "emb_layer.position_emb.weight": ours["backbone.trunk.position.weight"],
    }
    for kind in ("weight", "bias"):
        names |= {f"decoder.MLP.{2 * i}.{kind}": ours[f"decoder.maps.{i}.{kind}"] for i in range(3)}
        for i in range(len(model.backbone.trunk.layers)):
            parts = ours[f"backbone.trunk.layers.{i}.attention.projection.{kind}"].chunk(3)
            theirs = f"transformer_layers.{i}.attention.linear_layers"
            names |= {f"{theirs}.{n}.{kind}": part for n, part in enumerate(parts)}
    for i in range(len(model.backbone.trunk.layers)):
        mine, theirs = f"backbone.trunk.layers.{i}", f"transformer_layers.{i}"
        names |= {f"{theirs}.{b}": ours[f"{mine}.{a}"] for a, b in BLOCK.items()}
    compared = reference.group("grad/sslrec.")
    assert compared
    lonely = torch.bincount(reference["in/adj_rows"]) == 1
    for name in compared:
        reference.check(f"grad/sslrec.{name}", names[name], ~lonely if name == "encoder.item_emb" else None)


def test_scores(golden: Callable[[str], Golden], batch: Batch) -> None:
    reference = golden("maerec")
    model = build(reference).eval()
    user = model.query(batch.histories)
    reference.check("out/sslrec.user", user)
    reference.check("out/sslrec.scores", user @ model.backbone.table().T)
    reference.close("scores", model.score(batch.histories), reference["out/sslrec.scores"][:, 1:])

"""ICSRec's and FENRec's golden files: the same parameter names, data and evaluation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from seqrec.backbones.transformer import Transformer
from seqrec.data.batch import Batch, Histories
from seqrec.data.sequences import Sequences
from seqrec.data.windows import Windows, held_out, prefixes
from seqrec.functional.ranking import ndcg, recall, target_rank
from seqrec.methods.icsrec import ICSRec
from seqrec.nn.attention import DotProductAttention
from tests.factories import make_sequences
from tests.parity.golden import Golden

LAYER = {
    "output": "attention.dense",
    "attention_norm": "attention.LayerNorm",
    "ffn_in": "intermediate.dense_1",
    "ffn_out": "intermediate.dense_2",
    "ffn_norm": "intermediate.LayerNorm",
}
PARTS = ("query", "key", "value")


def sequences_of(golden: Golden) -> Sequences:
    items, start = golden["in/data/seq_flat"], golden["in/data/seq_offsets"]
    offsets = start if int(start[-1]) == len(items) else torch.cat([start, torch.tensor([len(items)])])
    return make_sequences(items.split(offsets.diff().tolist()), golden.meta["n_items"])


def windows_of(golden: Golden) -> Windows:
    return prefixes(sequences_of(golden), golden.meta["max_seq_length"], torch.Generator())


def build(golden: Golden, labels: Callable, pair_contrast: Any) -> ICSRec:
    """The method with the golden parameters and centroids, in training mode without dropout."""
    assert golden.meta["rec_weight"] == 1, "the method has no such weight"
    table, length = golden["param/item_embeddings.weight"], len(golden["param/position_embeddings.weight"])
    layers = sum(name.endswith("query.bias") for name in golden.group("param/"))
    ffn = len(golden["param/item_encoder.layer.0.intermediate.dense_1.bias"])
    backbone = Transformer(
        len(table) - 2,
        length,
        table.shape[1],
        layers,
        golden.meta["heads"],
        ffn,
        0.0,
        0.0,
        DotProductAttention,
        positions="from_newest",
    )
    centroids = golden["in/centroids"]
    model = ICSRec(
        backbone,
        partial(torch.optim.Adam, lr=1e-3),
        labels,
        pair_contrast,
        len(centroids),
        golden.meta["lambda_0"],
        golden.meta["beta_0"],
    ).double()
    named = dict(names(layers))
    state = {ours: torch.cat([golden[f"param/{name}"] for name in theirs]) for ours, theirs in named.items()}
    backbone.load_state_dict(state)
    model.intents.centroids.copy_(centroids)
    model.prepare(windows_of(golden), length)
    return model.train()


def names(layers: int) -> list[tuple[str, list[str]]]:
    """Our parameters and those of the reference that they are made of."""
    found = [("item_embedding.weight", ["item_embeddings.weight"])]
    found += [("trunk.position.weight", ["position_embeddings.weight"])]
    for kind in ("weight", "bias"):
        found += [(f"trunk.norm.{kind}", [f"LayerNorm.{kind}"])]
        for i in range(layers):
            layer, theirs = f"trunk.layers.{i}", f"item_encoder.layer.{i}"
            found += [(f"{layer}.{ours}.{kind}", [f"{theirs}.{name}.{kind}"]) for ours, name in LAYER.items()]
            parts = [f"{theirs}.attention.{part}.{kind}" for part in PARTS]
            found += [(f"{layer}.attention.projection.{kind}", parts)]
    return found


def gradients(model: ICSRec) -> dict[str, Tensor]:
    """Gradients by the names of the reference."""
    ours = dict(model.backbone.named_parameters())
    found: dict[str, Tensor] = {}
    trunk: Any = model.backbone.trunk
    for mine, theirs in names(len(trunk.layers)):
        grad = ours[mine].grad
        assert grad is not None
        found.update(zip(theirs, grad.chunk(len(theirs)), strict=True))
    return found


def batch_of(golden: Golden, model: ICSRec) -> Batch:
    """The golden batch, gathered by our own windows."""
    return model.windows.batch(golden["in/batch_sample"], model.max_length)


def check_data(golden: Golden, to_right: Callable) -> None:
    """Samples, their order and their partners."""
    windows = windows_of(golden)
    length = golden.meta["max_seq_length"]
    model = build(golden, lambda windows: (windows.user, windows.user), None)
    batch = windows.batch(torch.arange(len(windows)), length)
    assert torch.equal(batch.user, golden["out/data/sample_user"])
    assert torch.equal(batch.target, golden["out/data/sample_target"])
    for name, found in (("input", batch), ("positive", windows.batch(model.partner, length))):
        expected = golden[f"out/data/sample_{name}"]
        expected = to_right(expected, expected)[:, : found.items.shape[1]]
        assert torch.equal(found.items, expected), name
        assert int((golden[f"out/data/sample_{name}"] != 0).sum()) == int((found.items != 0).sum())


def check_forward(golden: Golden, model: ICSRec, to_right: Callable) -> None:
    """States of prefixes and partners, user vectors, scores over the whole table, clusters."""
    batch = batch_of(golden, model)
    for name, ids in (("hidden", "seq"), ("hidden_pos", "pos_seq")):
        left = golden[f"in/{ids}"]
        right = to_right(left, left)
        golden.arrays[f"out/{name}_right"] = to_right(golden[f"out/{name}"], left)
        golden.check(f"out/{name}_right", model.backbone(right), right != 0)
    assert torch.equal(batch.target, golden["in/target"])
    partners = model.windows.batch(model.partner[batch.row], model.max_length).items
    user, first, second = model.query(Histories(model.three_views(batch, partners))).chunk(3)
    torch.testing.assert_close(user, first)
    golden.check("out/user", user)
    golden.check("out/scores", user @ model.backbone.item_embedding.weight.T)
    golden.arrays["out/scores_items"] = golden["out/scores"][:, 1:-1].float()
    golden.check("out/scores_items", model.score(batch.histories))
    for view, states in ((1, first), (2, second)):
        cluster = model.intents.assign(states)
        assert torch.equal(cluster, golden[f"out/cluster_id{view}"])
        direction = torch.nn.functional.normalize(model.intents.centroids[cluster], dim=1)
        golden.check(f"out/centroid{view}", direction)


def check_evaluation(golden: Golden, model: ICSRec, to_right: Callable) -> None:
    """Inputs and answers of both splits; the test metrics under the released evaluator's rule, seen items score 0."""
    sequences = sequences_of(golden)
    model.eval()
    for split, from_end in (("valid", 2), ("test", 1)):
        windows = held_out(sequences, from_end)
        batch = windows.batch(torch.arange(len(windows)), model.max_length)
        left = golden[f"out/eval/{split}_input"]
        assert torch.equal(batch.items, to_right(left, left)[:, : batch.items.shape[1]])
        assert torch.equal(batch.target, golden[f"out/eval/{split}_answer"][:, 0])
    row, item = windows.seen(batch.row)
    scores = (model.query(batch.histories) @ model.backbone.item_embedding.weight.T).detach()
    scores[row, item] = 0.0
    rank = target_rank(scores, batch.target + 1)  # the padding and mask rows are candidates there
    metrics = []
    for k in (5, 10, 20):
        metrics += [recall(rank, k).mean(), ndcg(rank, k).mean()]
    golden.check("out/eval/test_metrics", torch.stack(metrics))

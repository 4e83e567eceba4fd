"""What ICLRec's and CoSeRec's golden files share: encoder, batch, losses, gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from seqrec.backbones.padded_transformer import PaddedTransformer
from seqrec.data.batch import Batch
from seqrec.data.indices.unseen import Unseen
from seqrec.data.sequences import Sequences
from seqrec.methods.contrastive.view_contrast import ViewContrastive
from tests.factories import make_batch, make_sequences, record_terms
from tests.parity.golden import Golden
from tests.parity.icsrec_golden import gradients, names

PADDED = 10.0  # times the tolerance: float32 scores near -10000, which padding has in the reference, are no finer


def build(golden: Golden) -> PaddedTransformer:
    """The encoder with the golden parameters, without dropout."""
    table, length = golden["param/item_embeddings.weight"], len(golden["param/position_embeddings.weight"])
    layers = sum(name.endswith("query.bias") for name in golden.group("param/"))
    ffn = len(golden["param/item_encoder.layer.0.intermediate.dense_1.bias"])
    heads = golden.meta["config"]["heads"]
    backbone = PaddedTransformer(len(table) - 2, length, table.shape[1], layers, heads, ffn, 0.0, 0.0)
    backbone.load_state_dict(
        {ours: torch.cat([golden[f"param/{name}"] for name in theirs]) for ours, theirs in names(layers)}
    )
    return backbone.double()


def batch_of(golden: Golden, to_right: Callable) -> Batch:
    left = golden["in/input_ids"]
    items, next_items = to_right(left, left), to_right(golden["in/target_pos"], left)
    longest = int((left != 0).sum(1).max())
    return make_batch(items[:, :longest], golden["in/target_pos"][:, -1], next_items[:, :longest])


def inject(golden: Golden, model: ViewContrastive, to_right: Callable) -> dict[str, Tensor]:
    """Make the golden negatives and views those of the model; returns where it logs its terms."""
    negatives = to_right(golden["in/target_neg"], golden["in/input_ids"])

    class Given(Unseen):
        def items(self, user: Tensor, number: Tensor) -> Tensor:
            return negatives[:, : number.shape[1]]

    none = torch.ones(len(negatives), dtype=torch.long)
    model.unseen = Given(model.backbone.num_items, none, none, none)
    model.views = lambda batch: torch.cat([golden["in/view1"], golden["in/view2"]])  # type: ignore[method-assign]
    logged: dict[str, Tensor] = {}
    record_terms(model, logged.update)
    return logged


def check_states(golden: Golden, backbone: PaddedTransformer, batch: Batch, to_right: Callable) -> None:
    """States of items by both ways, those of padding, user vectors, scores over the whole table."""
    left = golden["in/input_ids"]
    padded = backbone.padded(left)
    golden.check("out/hidden", padded, left != 0)
    torch.testing.assert_close(padded.detach(), golden["out/hidden"], rtol=0, atol=1e-2)
    valid = batch.items != 0
    expected = to_right(golden["out/hidden"], left)[:, : valid.shape[1]]
    golden.close("states of items", backbone(batch.items)[valid], expected[valid])
    user = backbone.newest(batch.items)
    golden.check("out/user", user)
    golden.check("out/scores", user @ backbone.item_embedding.weight.T)


def check_near(golden: Golden, name: str, actual: Tensor) -> None:
    """As ``golden.check``, for what is made of the states of padding."""
    golden.close(name, actual, golden[name], PADDED)


def check_gradients(golden: Golden, model: ViewContrastive) -> None:
    found = gradients(model)  # type: ignore[arg-type]
    compared = golden.group("grad/")
    assert compared
    for name in compared:
        check_near(golden, f"grad/{name}", found[name])
    assert not found["item_embeddings.weight"][0].any()


def sequences_of(corpus: Tensor, num_items: int) -> Sequences:
    """Histories ``(U, n)`` filled up with 0 on the right."""
    return make_sequences([row[row != 0] for row in corpus], num_items)

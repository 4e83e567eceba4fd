"""BERT4Rec against RecBole: both kinds of batches, their losses and gradients, and the query of the evaluation.

The file's second reference, ``sslrec.*``, is another network (pre-norm, left-padded, untied output) and is not
compared: the project implements one reference a model.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from seqrec.data.batch import Batch
from seqrec.functional.cloze import supervised_slots
from seqrec.functional.losses import bpr
from seqrec.methods.bert4rec import BERT4Rec
from tests.factories import make_batch
from tests.parity import recbole
from tests.parity.golden import Golden


def build(golden: Golden, kind: str = "last") -> BERT4Rec:
    """The model whose batches are all of one ``kind``, with the file's masks in those that hide at random."""
    sizes = golden.meta["sizes"]
    backbone = recbole.build(golden, sizes["heads"], sizes["V"] - 1, "recbole.", causal=False)

    def masks(items: Tensor, keys: Tensor, ratio: float, most: int) -> tuple[Tensor, Tensor]:
        hidden = golden["in/recbole.cloze.masked_seq"] == sizes["V"]
        return hidden, supervised_slots(hidden, most)

    model = BERT4Rec(
        backbone,
        partial(torch.optim.Adam, lr=1e-3),
        masks,
        golden.meta["hyper"]["mask_ratio"],
        last_ratio=float(kind == "last"),
        max_length=golden["in/seq_right_padded"].shape[1],
        with_target=False,
        always_drop=True,
    ).double()
    names = {"0": "output_ffn", "2": "output_ln"}
    model.head.load_state_dict(
        {
            f"{i}.{kind}": golden[f"param/recbole.{name}.{kind}"]
            for i, name in names.items()
            for kind in ("weight", "bias")
        }
    )
    model.bias.data = golden["param/recbole.output_bias"]
    return model


def batch_of(golden: Golden) -> Batch:
    items = golden["in/seq_right_padded"]
    assert torch.equal((items != 0).sum(1), golden["in/length"])
    return make_batch(items, torch.ones(len(items), dtype=torch.long))


@pytest.mark.parametrize("kind", ["cloze", "last"])
def test_states_and_scores_of_hidden_items(golden: Callable[[str], Golden], kind: str) -> None:
    reference = golden("bert4rec")
    model = build(reference)
    hidden = reference[f"in/recbole.{kind}.masked_seq"]
    states = model.head(model.backbone(hidden))
    reference.check(f"out/recbole.{kind}.hidden", states, hidden != 0)

    place = reference[f"in/recbole.{kind}.masked_index"]
    rows, slots = torch.nonzero(place, as_tuple=True)
    states = states[rows, place[rows, slots]]
    table = model.backbone.item_embedding.weight
    positive, negative = (
        (states * table[items]).sum(1) + model.bias[items]
        for items in (reference[f"in/recbole.{kind}.{name}_items"][rows, slots] for name in ("pos", "neg"))
    )
    reference.check(f"out/recbole.{kind}.loss_bpr", bpr(positive, negative[:, None]))


@pytest.mark.parametrize("kind", ["cloze", "last"])
def test_training_step(golden: Callable[[str], Golden], kind: str) -> None:
    reference = golden("bert4rec")
    model = build(reference, kind).train()
    fed: list[Tensor] = []
    learnt: list[Tensor] = []
    item_loss = model.item_loss
    model.backbone.register_forward_pre_hook(lambda module, inputs: fed.append(inputs[0]))
    model.item_loss = lambda states, target, weight: learnt.append(target) or item_loss(states, target, weight)  # type: ignore

    loss = model.training_step(batch_of(reference), 0)
    assert torch.equal(fed[0], reference[f"in/recbole.{kind}.masked_seq"])
    place = reference[f"in/recbole.{kind}.masked_index"]
    assert torch.equal(learnt[0], reference[f"in/recbole.{kind}.pos_items"][place > 0])
    reference.check(f"out/recbole.{kind}.loss_ce", loss)
    loss.backward()
    head = {f"output_ffn.{name}": p.grad for name, p in model.head[0].named_parameters()}
    head |= {f"output_ln.{name}": p.grad for name, p in model.head[2].named_parameters()}
    recbole.check_gradients(reference, model.backbone, f"recbole.{kind}.", output_bias=model.bias.grad, **head)


def test_the_query_of_the_evaluation(golden: Callable[[str], Golden]) -> None:
    reference = golden("bert4rec")
    model, batch = build(reference).eval(), batch_of(reference)
    token = torch.full_like(batch.target, model.backbone.mask_token)
    query = model.appended(batch.items, token, model.always_drop)
    reference.check("out/recbole.test_seq", query)
    reference.check("out/recbole.user", model.query(batch.histories))
    reference.close("scores", model.score(batch.histories), reference["out/recbole.scores"][:, 1:])
    padding = model.query(batch.histories) @ model.backbone.item_embedding.weight[:-1].T + model.bias
    reference.check("out/recbole.scores", padding)

"""SASRec against RecBole: post-norm trunk, softmax with the padding class, BPR, one pass for all prefixes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from seqrec.backbones.transformer import Transformer
from seqrec.functional.losses import bpr, next_item
from tests.parity import recbole
from tests.parity.golden import Golden


def build(golden: Golden) -> Transformer:
    num_items = golden["out/recbole.scores"].shape[1] - 1
    return recbole.build(golden, golden.meta["hyper"]["heads"], num_items, "recbole.")


@pytest.mark.parametrize("training", [False, True])
def test_states_scores_and_losses(golden: Callable[[str], Golden], training: bool) -> None:
    reference = golden("sasrec")
    model = build(reference).train(training)
    items, length = reference["in/seq_right_padded"], reference["in/length"]
    table = model.item_embedding.weight
    states = model(items)
    user = states[torch.arange(len(items)), length - 1]
    reference.check("out/recbole.hidden", states, items != 0)
    reference.check("out/recbole.user", user)
    reference.check("out/recbole.scores", user @ table[:-1].T)

    target, negative = reference["in/target"], reference["in/neg_target"]
    scores = bpr((user * table[target]).sum(-1), (user * table[negative]).sum(-1)[:, None])
    reference.check("out/recbole.loss_bpr", scores)

    loss = next_item(user, target, table, torch.zeros_like(target), padding_class=True)
    reference.check("out/recbole.loss_ce", loss)
    loss.backward()
    recbole.check_gradients(reference, model, "recbole.")


@pytest.mark.parametrize("training", [False, True])
def test_one_causal_pass_is_all_prefixes(golden: Callable[[str], Golden], training: bool) -> None:
    reference = golden("sasrec")
    model = build(reference).train(training)
    items, target = reference["in/seq_right_padded"], reference["in/pos_right_padded"]
    learnt = target != 0
    loss = next_item(
        model(items)[learnt], target[learnt], model.item_embedding.weight, target[learnt], padding_class=True
    )
    reference.check("out/recbole.loss_ce_all_prefixes", loss)
    loss.backward()
    recbole.check_gradients(reference, model, "recbole_all_prefixes.")

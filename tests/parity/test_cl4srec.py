"""CL4SRec against the RecBole form in DuoRec's repository: states, operators, InfoNCE, total and gradients.

The file's second reference, ``sslrec/*``, is another network (bidirectional, pre-norm, left-padded) and is not
compared: the project implements one reference a model.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from seqrec.functional import augment
from seqrec.functional.losses import next_item
from seqrec.functional.ragged import ragged
from seqrec.methods.cl4srec import CL4SRec
from seqrec.methods.contrastive import InBatchContrast
from tests.factories import record_terms
from tests.parity import recbole
from tests.parity.golden import Golden

OPERATORS = ("crop", "mask", "reorder")
VIEWS = partial(augment.different_views, crop_ratio=0.6, mask_ratio=0.3, reorder_ratio=0.6)


def build(golden: Golden) -> CL4SRec:
    return CL4SRec(
        VIEWS,
        backbone=recbole.build(golden, golden.meta["heads"], golden["out/scores"].shape[1] - 1),
        optimizer=partial(torch.optim.Adam, lr=1e-3),
        loss=partial(next_item, padding_class=True),
        pair_contrast=InBatchContrast(golden.meta["tau"]),
        contrast_weight=golden.meta["lmd"],
    )


def drawn(items: Tensor, described: list) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Draws that lead to the described views, in order of use.

    The pair of operators; the crop's and the reordered stretch's start ``(B, 1)``; an order of the positions to mask
    and one within the reordered stretch ``(B, L)``.
    """
    rows, length = items.shape
    lengths = (items != 0).sum(1).tolist()
    pair = torch.zeros(rows, 1, dtype=torch.long)
    crop_start, order_start = torch.zeros(2, rows, 1)
    masked, order = torch.full((2, rows, length), 0.5)
    for b, operations in enumerate(described):
        for name, parameters in operations:
            if name == "crop":
                start, kept = parameters
                crop_start[b] = (start + 0.5) / (lengths[b] - kept + 1)
            elif name == "mask":
                masked[b, parameters] = 0.0
            elif name == "reorder":
                start, sources = parameters
                order_start[b] = (start + 0.5) / (lengths[b] - len(sources) + 1)
                order[b, sources] = (torch.arange(len(sources)) + 0.5) / max(1, len(sources))
        if operations[0][0] != "none":
            first, second = (OPERATORS.index(name) for name, _ in operations)
            pair[b] = first + 3 * ((second - first - 1) % 3)
    return pair, [crop_start, order_start], [masked, order]


@pytest.fixture
def reference(golden: Callable[[str], Golden], monkeypatch: pytest.MonkeyPatch) -> Golden:
    """The golden file, with its draws in place of ours."""
    loaded = golden("cl4srec")
    described = json.loads(loaded.text["in/aug_desc"])
    pair, *draws = drawn(loaded["in/seq"], described)
    of_rows, of_items = map(iter, draws)
    monkeypatch.setattr(augment, "integers", lambda keys, n, high: pair)
    monkeypatch.setattr(augment, "uniform", lambda keys, n: next(of_rows))
    monkeypatch.setattr(augment, "nth_uniform", lambda keys, place: next(of_items).flatten())
    return loaded


def test_views(reference: Golden) -> None:
    items = reference["in/seq"]
    before = items.clone()
    token = reference.meta["mask_id"]
    views = VIEWS(ragged(items), torch.arange(len(items)), token)
    assert torch.equal(items, before)
    for number, view in enumerate(views, start=1):
        reference.check(f"in/aug{number}", view.padded(items.shape[1]))


def test_states_scores_and_contrasts(reference: Golden) -> None:
    backbone = build(reference).backbone
    items = reference["in/seq"]
    states = backbone(items)
    user = recbole.newest_state(states, items)
    reference.check("out/hidden", states, items != 0)
    reference.check("out/user", user)
    reference.check("out/scores", user @ backbone.item_embedding.weight[:-1].T)
    z1, z2 = (recbole.newest_state(backbone(reference[name]), reference[name]) for name in ("in/aug1", "in/aug2"))
    reference.check("out/z1", z1)
    reference.check("out/z2", z2)
    recbole.check_contrasts(reference, z1, z2)


def test_training_step(reference: Golden) -> None:
    model = build(reference).train()
    logged: dict[str, Tensor] = {}
    record_terms(model, logged.update)
    items = reference["in/seq"]
    total = model.training_step(recbole.prefix_batch(items, reference["in/target"], torch.arange(len(items))), 0)
    reference.check("out/rec_loss", logged["train/recommendation"])
    reference.check("out/cl_loss", logged["train/contrast"])
    reference.check("out/total", total)
    total.backward()
    recbole.check_gradients(reference, model.backbone)

"""DuoRec against its official implementation: states, partners, InfoNCE, total (mode us_x) and gradients.

The file's second reference, ``sslrec/*``, is another network (bidirectional, pre-norm, left-padded) and is not
compared: the project implements one reference a model, and of its modes the published one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from seqrec.data.indices.same_target import SameTarget
from seqrec.data.windows import prefixes
from seqrec.functional.losses import next_item
from seqrec.methods import duorec
from seqrec.methods.contrastive import InBatchContrast
from seqrec.methods.contrastive.looked_up import LookedUp
from seqrec.methods.duorec import DuoRec
from tests.factories import make_sequences, record_terms
from tests.parity import recbole
from tests.parity.golden import Golden


def same_target(golden: Golden) -> SameTarget:
    items, offsets = golden["in/data/seq_flat"], golden["in/data/seq_offsets"]
    if offsets[-1] < len(items):  # starts only
        offsets = torch.cat([offsets, torch.tensor([len(items)])])
    sequences = make_sequences(items.split(offsets.diff().tolist()), golden["out/scores"].shape[1] - 1)
    length = golden["in/seq"].shape[1]
    return SameTarget(prefixes(sequences, length, torch.Generator()), length)


def build(golden: Golden) -> DuoRec:
    model = DuoRec(
        recbole.build(golden, golden.meta["heads"], golden["out/scores"].shape[1] - 1),
        partial(torch.optim.Adam, lr=1e-3),
        partial(next_item, padding_class=True),
        InBatchContrast(golden.meta["tau"]),
        golden.meta["lmd_sem"],
    )
    model.same_target = same_target(golden)
    model.looked_up = LookedUp(model.same_target.windows, model.same_target.max_length, model.device)
    return model


def candidates(golden: Golden, row: int) -> Tensor:
    flat, offsets = golden["out/data/candidate_flat"], golden["out/data/candidate_offsets"]
    stop = offsets[row + 1] if row + 1 < len(offsets) else len(flat)
    return flat[offsets[row] : stop]


def test_candidates(golden: Callable[[str], Golden]) -> None:
    reference = golden("duorec")
    partners = same_target(reference)
    rows = torch.arange(len(partners.windows))
    assert len(rows) == len(reference["out/data/candidate_offsets"]) - 1
    alone = 0
    for row in rows.tolist():
        expected = candidates(reference, row)
        alone += not len(expected)
        expected = expected if len(expected) else torch.tensor([row])
        draws = (torch.arange(len(expected)) + 0.5) / len(expected)
        assert torch.equal(partners.random_excluding_self(torch.full_like(expected, row), draws), expected)
    assert 0 < alone < len(rows)


def test_states_scores_and_contrasts(golden: Callable[[str], Golden]) -> None:
    reference = golden("duorec")
    backbone = build(reference).backbone
    items, partners = reference["in/seq"], reference["in/sem_aug"]
    states = backbone(items)
    user = recbole.newest_state(states, items)
    second = recbole.newest_state(backbone(partners), partners)
    reference.check("out/hidden", states, items != 0)
    reference.check("out/user", user)
    reference.check("out/z1", user)  # without dropout both passes are one
    reference.check("out/z2", second)
    reference.check("out/scores", user @ backbone.item_embedding.weight[:-1].T)
    recbole.check_contrasts(reference, user, second)


def test_training_step(golden: Callable[[str], Golden], monkeypatch: pytest.MonkeyPatch) -> None:
    reference = golden("duorec")
    model = build(reference).train()
    logged: dict[str, Tensor] = {}
    record_terms(model, logged.update)
    rows = reference["in/batch_sample"]
    batch = model.same_target.windows.batch(rows, reference["in/seq"].shape[1])
    items = reference["in/seq"][:, : batch.items.shape[1]]
    assert torch.equal(batch.items, items)
    reference.check("in/target", batch.target)

    draws = torch.zeros(len(rows), 1)
    for b, (row, partner) in enumerate(zip(rows.tolist(), reference["in/positive_sample"].tolist(), strict=True)):
        if partner >= 0:
            others = candidates(reference, row).tolist()
            draws[b] = (others.index(partner) + 0.5) / len(others)
    monkeypatch.setattr(duorec, "uniform", lambda keys, n: draws)
    partners = model.partners(rows)
    assert torch.equal(partners, reference["in/sem_aug"][:, : partners.shape[1]])

    total = model.training_step(batch, 0)
    reference.check("out/rec_loss", logged["train/recommendation"])
    reference.check("out/cl_loss", logged["train/contrast"])
    reference.check("out/total", total)
    total.backward()
    recbole.check_gradients(reference, model.backbone)

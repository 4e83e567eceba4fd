"""ICSRec against its released code: samples, partners, states, every loss term, gradients, metrics."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.data.batch import Histories
from seqrec.data.indices.soft_labels import soft_labels
from seqrec.functional.in_batch import info_nce
from seqrec.functional.losses import cross_entropy
from seqrec.methods.contrastive import InBatchContrast
from seqrec.methods.icsrec import ICSRec
from tests.factories import record_terms
from tests.parity import icsrec_golden as shared
from tests.parity.golden import Golden

ONE_HOT = partial(soft_labels, gamma=0.0, num_items=1)


@pytest.fixture
def reference(golden: Callable[[str], Golden]) -> Golden:
    return golden("icsrec")


def model_of(reference: Golden) -> ICSRec:
    return shared.build(reference, ONE_HOT, InBatchContrast(reference.meta["temperature"]))


def views(reference: Golden, model: ICSRec) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """Both vectors and the labels of each contrast."""
    batch = shared.batch_of(reference, model)
    partners = model.windows.batch(model.partner[batch.row], model.max_length).items
    _, first, second = model.query(Histories(model.three_views(batch, partners))).chunk(3)
    clusters = [model.intents.assign(states) for states in (first, second)]
    directions = [F.normalize(model.intents.centroids[cluster], dim=1) for cluster in clusters]
    return {
        "cicl": (first, second, batch.target),
        "ficl1": (first, directions[0], clusters[0]),
        "ficl2": (second, directions[1], clusters[1]),
    }


def test_data(reference: Golden, to_right: Callable) -> None:
    shared.check_data(reference, to_right)


@pytest.mark.parametrize("training", [False, True])
def test_states_and_scores(reference: Golden, to_right: Callable, training: bool) -> None:
    shared.check_forward(reference, model_of(reference).train(training), to_right)


def test_evaluation(reference: Golden, to_right: Callable) -> None:
    shared.check_evaluation(reference, model_of(reference), to_right)


def test_losses_and_gradients(reference: Golden) -> None:
    model = model_of(reference)
    seen: dict[str, Tensor] = {}
    record_terms(model, seen.update)
    total = model.training_step(shared.batch_of(reference, model), 0)
    for name, ours in (("rec", "recommendation"), ("cicl", "coarse"), ("ficl", "fine")):
        reference.check(f"out/{name}_loss", seen[f"train/{ours}"])
    reference.check("out/total", total)
    total.backward()
    found = shared.gradients(model)
    compared = reference.group("grad/")
    assert compared
    for name in compared:
        reference.check(f"grad/{name}", found[name])


@pytest.mark.parametrize("term", ["cicl", "ficl1", "ficl2"])
def test_logits(reference: Golden, term: str) -> None:
    model = model_of(reference)
    first, second, labels = views(reference, model)[term]
    temperature = reference.meta["temperature"]
    logits = reference[f"out/{term}_logits"]  # over the temperature: positive, then all rows of the batch
    both = torch.cat([first, second])
    kept = info_nce.negatives(labels, len(first), labels.device)
    assert torch.equal(kept, torch.isfinite(logits[:, 1:]))
    products, own = both @ both.T / temperature, (both * both.roll(len(first), 0)).sum(1) / temperature
    reference.close("negatives", products[kept], logits[:, 1:][kept])
    reference.close("positives", own, logits[:, 0])
    expected = (torch.logsumexp(logits, 1) - logits[:, 0]).mean()
    found = info_nce.info_nce(first, second, labels, temperature)
    reference.close("loss", found, expected)


def test_without_labels_only_a_row_and_its_view_are_left_out(reference: Golden) -> None:
    """The released code with its false-negative mask off."""
    model = model_of(reference)
    batch = shared.batch_of(reference, model)
    pairs = views(reference, model)
    losses = {
        name: info_nce.info_nce(first, second, None, reference.meta["temperature"])
        for name, (first, second, _) in pairs.items()
    }
    recommendation = cross_entropy(pairs["cicl"][0], model.backbone.item_embedding.weight, batch.target)
    fine = losses["ficl1"] + losses["ficl2"]
    reference.check("out/no_fnm/rec_loss", recommendation)
    reference.check("out/no_fnm/cicl_loss", losses["cicl"])
    reference.check("out/no_fnm/ficl_loss", fine)
    total = recommendation + model.coarse_weight * losses["cicl"] + model.fine_weight * fine
    reference.check("out/no_fnm/total", total)
    both = torch.cat(pairs["cicl"][:2])
    kept = info_nce.negatives(None, len(batch.row), both.device)
    ours = (both @ both.T / reference.meta["temperature"])[kept].view(len(both), -1)
    logits = reference["out/no_fnm/cicl_logits"]
    reference.close("negatives", ours.sort(1).values, logits[:, 1:].sort(1).values)

"""CoSeRec against its released code: states with padding, losses, gradients, similarity, operators.

Rates of the operators are those that the file's description names. Neighbours are compared where one item alone
has the largest similarity; the released code breaks ties by the order of its file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from seqrec.functional import augment, augment_similar
from seqrec.functional import item_similarity as similarity
from seqrec.functional.ragged import HIDDEN, ragged
from seqrec.methods.coserec import CoSeRec
from tests.parity import padded_golden as shared
from tests.parity.golden import Golden

EQUAL = 1e-6  # relative: sums of float32 differ by as much


def build(
    golden: Golden, user_weight: similarity.UserWeight = similarity.inverse_log, warmup_epochs: int = 0
) -> CoSeRec:
    config = golden.meta["config"]
    model = CoSeRec(
        shared.build(golden),
        partial(torch.optim.Adam, lr=1e-3),
        view=lambda items, keys, token, similar: items,
        user_weight=user_weight,
        contrast_weight=config["cf_weight"],
        warmup_epochs=warmup_epochs,
        temperature=config["temperature"],
    ).double()
    model.prepare(shared.sequences_of(golden["in/corpus"], config["n_items"]))
    return model.train()


def test_states(golden: Callable[[str], Golden], to_right: Callable) -> None:
    reference = golden("coserec")
    batch = shared.batch_of(reference, to_right)
    shared.check_states(reference, build(reference).backbone, batch, to_right)


def test_training_step(golden: Callable[[str], Golden], to_right: Callable) -> None:
    reference = golden("coserec")
    model = build(reference)
    logged = shared.inject(reference, model, to_right)
    total = model.training_step(shared.batch_of(reference, to_right), 0)
    reference.check("out/loss_rec", logged["train/recommendation"])
    shared.check_near(reference, "out/loss_cl", logged["train/contrast"])
    shared.check_near(reference, "out/loss_total", total)
    total.backward()
    shared.check_gradients(reference, model)


@pytest.mark.parametrize(("name", "weight"), [("itemcf", similarity.equal), ("itemcf_iuf", similarity.inverse_log)])
def test_similarity_by_users(
    golden: Callable[[str], Golden], monkeypatch: pytest.MonkeyPatch, name: str, weight: Callable
) -> None:
    reference = golden("coserec")
    expected = reference[f"out/sim_{name}"]
    corpus = reference["in/corpus"]
    length = (corpus != 0).sum(1, keepdim=True) - 3
    known = torch.arange(corpus.shape[1]) < length
    user, item = known.nonzero()[:, 0], corpus[known]
    for elements in (similarity.BLOCK_ELEMENTS, 7 * len(expected)):  # one block, several
        monkeypatch.setattr(similarity, "BLOCK_ELEMENTS", elements)
        blocks = list(similarity.shared_users(user, item, len(expected), weight))
        reference.check(f"out/sim_{name}", torch.cat(blocks, 1).T)


def ties(golden: Golden) -> Tensor:
    """Items ``(V,)`` whose best neighbours differ by rounding at most; the order of summing decides those."""
    first, second = golden["out/sim_itemcf_iuf"].topk(2, dim=1).values.T
    return (golden["out/offline_tie"] == 1) | (first - second <= EQUAL * first)


def test_best_neighbours(golden: Callable[[str], Golden]) -> None:
    reference = golden("coserec")
    model = build(reference)
    table = reference["param/item_embeddings.weight"]
    known, tied = reference["out/offline_known"] == 1, ties(reference)
    offline = model.by_users
    assert torch.equal(offline.item != 0, known)
    reference.check("out/offline_top1", offline.item, ~tied)
    reference.check("out/offline_score", offline.score)
    low, high = reference["out/sim_iuf_minmax"]
    sims = reference["out/sim_itemcf_iuf"]
    best = sims.gather(1, offline.item[:, None])[:, 0]
    reference.close("score", offline.score[known], ((best - low) / (high - low))[known])

    online = similarity.most_similar_by_vectors(table)
    inner = torch.arange(len(table)).clamp(1, len(table) - 2) == torch.arange(len(table))
    reference.check("out/online_top1", online.item, inner)
    reference.check("out/online_score", online.score, inner)
    low, high = reference["out/online_minmax"]
    products = (table * table[online.item]).sum(1)
    reference.close("online score", online.score[inner], ((products - low) / (high - low))[inner])

    hybrid = similarity.better(offline, online)
    lead = offline.score - online.score
    reference.check("out/hybrid_top1", hybrid.item, known & inner & ~(tied & (lead >= 0)) & (lead.abs() > EQUAL))


def test_the_epochs_table_follows_the_warm_up(golden: Callable[[str], Golden]) -> None:
    reference = golden("coserec")
    known, tied = reference["out/offline_known"] == 1, ties(reference)
    for warmup_epochs, name in ((0, "offline_top1"), (-1, "hybrid_top1")):  # the present epoch is 0
        model = build(reference, warmup_epochs=warmup_epochs)
        model.refresh()
        expected = reference[f"out/{name}"]
        expected = expected.masked_fill(expected == 0, HIDDEN)
        table = model.by_users.score - similarity.most_similar_by_vectors(model.backbone.item_embedding.weight).score
        decided = known & ~tied & (table.abs() > EQUAL)
        assert torch.equal(model.similar[decided], expected[decided])
        assert bool((model.similar != 0).all())


def rates(golden: Golden) -> dict[str, float]:
    """Rates of the operators, which the description of their arrays gives: ``crop 0.5, mask 0.7, ...``."""
    return {name: float(rate) for name, rate in re.findall(r"(\w+) (\d*\.\d+)", golden.meta["keys"]["out/aug_*"])}


OPERATORS = ["crop", "mask", "reorder"] + [f"{o}_{s}" for o in ("insert", "substitute") for s in ("offline", "hybrid")]


@pytest.mark.parametrize("name", OPERATORS)
def test_operator(golden: Callable[[str], Golden], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The recorded draws take the place of ours; what is drawn is checked in the tests of the functions."""
    reference = golden("coserec")
    operator, _, table = name.partition("_")
    items = reference[f"in/aug_{name}_seq"].clamp(min=0)
    draw = reference[f"in/aug_{name}_draw"]
    keys, ratio, histories = torch.arange(len(items)), rates(reference)[operator], ragged(items)
    places: dict[str, Callable] = {"place": lambda keys, length, count: draw[:, 0]}
    if operator == "reorder":
        draws = order(items, draw)
    else:
        draws = torch.full(items.shape, 0.9)
        draws[torch.arange(len(items))[:, None].expand_as(draw)[draw >= 0], draw[draw >= 0]] = 0.1
    monkeypatch.setattr(augment, "nth_uniform", lambda keys, place: draws.flatten())
    rank = augment.random_order(histories, keys)
    if operator in ("insert", "substitute"):
        similar = reference[f"out/{table}_top1"]
        view = getattr(augment_similar, operator)(histories, rank, ratio, similar)
        used = similar[histories.items[rank < (draw >= 0).sum(1)[histories.row]]]
        assert bool((used != 0).all())  # an item without a neighbour is random there
    elif operator == "mask":
        view = augment.mask(histories, rank, ratio, HIDDEN)
        assert torch.equal((view.padded(items.shape[1]) == HIDDEN).sum(1), (draw >= 0).sum(1))
    else:
        view = getattr(augment, operator)(histories, keys, ratio, **places)
    expected = reference[f"out/aug_{name}"]
    assert torch.equal((expected >= 0).sum(1), view.length)
    assert torch.equal(view.padded(expected.shape[1]).clamp(min=0), expected.clamp(min=0))


def order(items: Tensor, draw: Tensor) -> Tensor:
    """Numbers in [0, 1) by which the stretch of each row sorts into the recorded items."""
    draws = torch.zeros(items.shape)
    for row, (start, *shuffled) in enumerate(draw.tolist()):
        shuffled = [item for item in shuffled if item >= 0]
        old = items[row, start : start + len(shuffled)].tolist()
        for place, item in enumerate(shuffled):
            where = old.index(item)
            old[where] = -1
            draws[row, start + where] = (place + 0.5) / len(shuffled)
    return draws

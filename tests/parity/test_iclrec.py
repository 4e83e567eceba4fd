"""ICLRec against its released code: states with padding, intents, every loss term, gradients, k-means."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from seqrec.functional.in_batch.info_nce import info_nce
from seqrec.methods.iclrec import ICLRec
from seqrec.nn.kmeans import KMeans, nearest
from tests.parity import padded_golden as shared
from tests.parity.golden import Golden


def build(golden: Golden, **options: Any) -> ICLRec:
    config, centroids = golden.meta["config"], golden["in/centroids"]
    chosen = {"mask_same_intent": False, "share_views": False, "warmup_epochs": 0, **options}
    model = ICLRec(
        shared.build(golden),
        partial(torch.optim.Adam, lr=1e-3),
        view=lambda items, keys, token: items,
        num_clusters=len(centroids),
        instance_weight=config["lambda_instance"],
        intent_weight=config["lambda_intent"],
        temperature=config["temperature"],
        **chosen,
    ).double()
    model.intents.centroids.copy_(centroids)
    return model.train()


def test_states_and_intents(golden: Callable[[str], Golden], to_right: Callable) -> None:
    reference = golden("iclrec")
    model = build(reference)
    shared.check_states(reference, model.backbone, shared.batch_of(reference, to_right), to_right)
    cluster = model.intents.assign(model.backbone.padded(reference["in/input_ids"]).mean(1))
    reference.check("out/intent_id", cluster)
    reference.check("out/intent_vec", F.normalize(model.intents.centroids[cluster], dim=1))


@pytest.mark.parametrize("share_views", [False, True])
def test_training_step(golden: Callable[[str], Golden], to_right: Callable, share_views: bool) -> None:
    reference = golden("iclrec")
    model = build(reference, share_views=share_views)
    logged = shared.inject(reference, model, to_right)
    total = model.training_step(shared.batch_of(reference, to_right), 0)
    reference.check("out/loss_rec", logged["train/recommendation"])
    shared.check_near(reference, "out/loss_instance_cl", logged["train/instance"])
    shared.check_near(reference, "out/loss_intent_cl", logged["train/intent"])
    shared.check_near(reference, "out/loss_total", total)
    total.backward()
    shared.check_gradients(reference, model)


def test_false_negatives_are_left_out(golden: Callable[[str], Golden], to_right: Callable) -> None:
    reference = golden("iclrec")
    model = build(reference, mask_same_intent=True)
    states, encoded = (
        model.backbone.padded(rows)
        for rows in (reference["in/input_ids"], torch.cat([reference["in/view1"], reference["in/view2"]]))
    )
    shared.check_near(reference, "out/loss_intent_cl_denoise", model.intent_loss(states, encoded))
    # The released labels of this form are validation items; the method has no such option, the arithmetic is there.
    first, second = encoded.flatten(1).chunk(2)
    loss = info_nce(first, second, reference["in/item_labels"], model.temperature)
    shared.check_near(reference, "out/loss_instance_cl_denoise", loss)


def test_clusters_are_as_tight(golden: Callable[[str], Golden]) -> None:
    reference = golden("iclrec")
    points = reference["in/kmeans_points"]
    described = re.search(r"(\d+) clusters", reference.meta["keys"]["in/kmeans_points"])
    assert described
    found = KMeans(int(described[1]), points.shape[1]).double()
    found.fit(points)
    assert nearest(points, found.centroids)[1].sum() <= 1.05 * reference["out/kmeans_objective"]

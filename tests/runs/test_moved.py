"""Configurations stored by older versions."""

from __future__ import annotations

from seqrec.runs.moved import MOVED, PARTS, upgraded
from seqrec.runs.targets import find


def test_every_old_name_leads_to_something() -> None:
    for old, new in MOVED.items():
        assert new not in MOVED, f"{old} leads to {new}, which has moved again"
        assert callable(find(old, "model"))


def test_a_part_is_replaced_in_its_owner_only() -> None:
    for owner, parts in PARTS.items():
        for old, new in parts.items():
            assert callable(find(owner, "model")) and callable(find(new, "model.part"))
            part = {"_target_": old, "_partial_": True}
            assert upgraded({"_target_": owner, "part": part})["part"] == {"_target_": new, "_partial_": True}
            assert upgraded({"_target_": "seqrec.methods.easnrec.EASNRec", "part": part})["part"] == part


def test_old_names_are_replaced_wherever_they_stand() -> None:
    stored = {
        "data": {"_target_": "seqrec.data.yelp.Yelp", "seed": 1},
        "parts": [{"_target_": "torch.nn.ReLU"}, 3, None],
    }
    assert upgraded(stored) == {**stored, "data": {"_target_": "seqrec.data.sets.yelp.Yelp", "seed": 1}}
    assert stored["data"] == {"_target_": "seqrec.data.yelp.Yelp", "seed": 1}
    assert upgraded(upgraded(stored)) == upgraded(stored)


def test_protocols_have_the_names_of_what_they_rank() -> None:
    stored = {"protocol": {"_target_": "seqrec.metrics.Protocol", "name": "easnrec"}, "data": {"name": "easnrec"}}
    renamed = upgraded(stored)
    assert renamed == {**stored, "protocol": {**stored["protocol"], "name": "all_items"}}
    assert upgraded(renamed) == renamed


def test_a_function_that_became_a_class_is_built() -> None:
    old = {"_target_": "seqrec.functional.hard_negatives.in_batch", "_partial_": True, "temperature": 1.0}
    assert upgraded({"contrast": old}) == {
        "contrast": {"_target_": "seqrec.methods.contrastive.InBatchContrast", "temperature": 1.0}
    }


def test_what_it_is_configured_with_is_built_as_well() -> None:
    """EASNRec's contrast and its positive, a part of it."""
    package, partial = "seqrec.methods.easnrec.", {"_partial_": True}
    augment = {"_target_": "seqrec.functional.augment_states.dropout", "probability": 0.2, **partial}
    positive = {"_target_": f"{package}positives.second_pass", **partial}
    old = {"_target_": f"{package}contrast.contrast_states", "window": 3, "augment": augment, "positive": positive}
    assert upgraded({**old, **partial}) == {
        "_target_": f"{package}contrast.StateContrast",
        "window": 3,
        "augment": augment,
        "positive": {"_target_": f"{package}positives.SecondPass"},
    }


def test_other_partial_nodes_stay_partial() -> None:
    loss = {"_target_": "seqrec.functional.losses.next_item", "_partial_": True}
    labels = {"_target_": "seqrec.data.soft_labels.soft_labels", "_partial_": True, "gamma": 0.0}
    assert upgraded(loss) == loss
    assert upgraded(labels)["_partial_"] is True and callable(
        find("seqrec.data.soft_labels.soft_labels", "model.labels")
    )

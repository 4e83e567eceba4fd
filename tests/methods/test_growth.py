"""The weights of a grown model: old rows bit for bit, the mask behind the new ones."""

from __future__ import annotations

import pytest
import torch

from seqrec.methods.growth import Part, Sizes, Start, grown_state, same_beside, table_part, tables

OLD = Sizes(items=4, users=3)
NOTHING = Start([], [], torch.tensor([9, 1, 1, 1, 0, 0]))


def test_which_rows_stand_for_items_and_users() -> None:
    assert table_part("item_embedding.weight", 6, OLD) == Part(False, 1, 4, 1)
    assert table_part("bias", 5, OLD) == Part(False, 1, 4, 0)
    assert table_part("order", 4, OLD) == Part(False, 0, 4, 0)
    assert table_part("backbone.user_embedding.weight", 3, OLD) == Part(True, 0, 3, 0)
    assert table_part("backbone.user_embedding.weight", 4, OLD) == Part(True, 1, 3, 0)
    assert table_part("layer.weight", 9, OLD) is None


def test_the_mask_moves_behind_the_new_rows() -> None:
    state = {"table": torch.randn(6, 2), "bias": torch.randn(5), "layer": torch.randn(2, 2)}
    fresh = {"table": torch.zeros(8, 2), "bias": torch.zeros(7), "layer": torch.zeros(2, 2)}
    parts = tables(state, fresh, OLD)
    found = grown_state(state, fresh, parts, NOTHING)
    assert {name: value.shape for name, value in found.items()} == {name: x.shape for name, x in fresh.items()}
    assert torch.equal(found["table"][:5], state["table"][:5]) and torch.equal(found["table"][-1], state["table"][-1])
    assert torch.equal(found["bias"][:5], state["bias"]) and torch.equal(found["layer"], state["layer"])
    assert found["table"][5:7].norm(dim=1).max() <= state["table"][1:5].norm(dim=1).median() + 1e-6


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"head is \(9, 2\) and would be \(10, 2\): its rows are neither .* 4 items"):
        tables({"head": torch.zeros(9, 2)}, {"head": torch.zeros(10, 2)}, OLD)
    with pytest.raises(ValueError, match="head is missing in the stored weights"):
        tables({}, {"head": torch.zeros(10, 2)}, OLD)


def test_models_that_differ_in_rows_of_items_alone() -> None:
    one = {"table": torch.randn(6, 2), "layer": torch.randn(6, 2)}
    two = {"table": torch.cat([one["table"][:1], torch.randn(6, 2), one["table"][5:]]), "layer": one["layer"].clone()}
    parts, more = {"table": Part(False, 1, 4, 1)}, {"table": Part(False, 1, 6, 1)}
    assert same_beside(one, parts, two, more)
    two["table"][-1] += 1
    assert not same_beside(one, parts, two, more), "the mask is read by the encoder"
    two["table"][-1], two["layer"] = one["table"][-1], one["layer"] + 1
    assert not same_beside(one, parts, two, more)

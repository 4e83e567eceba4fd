"""SASRec's own block against ``pmixer/SASRec.pytorch``, with and without states of padding."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from seqrec.backbones.original_sasrec import OriginalSASRec
from seqrec.functional.losses import against, bce
from tests.parity.golden import Golden, gradients

FORMS = {"pmixer_2020": True, "pmixer_2024": False}
LAYER = {
    "attention_norm": "attention_layernorms.{}",
    "ffn_norm": "forward_layernorms.{}",
    "output": "attention_layers.{}.out_proj",
    "ffn_in": "forward_layers.{}.conv1",
    "ffn_out": "forward_layers.{}.conv2",
}


def build(reference: Golden, zero_padding: bool) -> OriginalSASRec:
    """The backbone with the parameters ``param/pmixer.*``."""
    old = reference.group("param/pmixer.")
    table, positions = old["item_emb.weight"], old["pos_emb.weight"]
    (rows, dim), hyper = table.shape, reference.meta["hyper"]
    model = OriginalSASRec(rows - 1, len(positions) - 1, dim, hyper["layers"], hyper["heads"], 0.0, zero_padding)
    new = {
        "item_embedding.weight": torch.cat([table, table.new_zeros(1, dim)]),
        "position.weight": positions[1:],
        "norm.weight": old["last_layernorm.weight"],
        "norm.bias": old["last_layernorm.bias"],
    }
    for i in range(hyper["layers"]):
        for kind in ("weight", "bias"):
            for ours, theirs in LAYER.items():
                value = old[f"{theirs.format(i)}.{kind}"]
                new[f"layers.{i}.{ours}.{kind}"] = value.squeeze(-1) if value.dim() == 3 else value
            new[f"layers.{i}.attention.projection.{kind}"] = old[f"attention_layers.{i}.in_proj_{kind}"]
    model.double().load_state_dict(new)
    return model


def theirs(name: str, ours: dict[str, Tensor]) -> Tensor:
    """A gradient in the names and shapes of the reference."""
    if name == "item_emb.weight":
        return ours["item_embedding.weight"][:-1]
    if name == "pos_emb.weight":
        return ours["position.weight"]
    part, layer, rest = name.split(".", 2)
    if rest.startswith("in_proj"):
        return ours[f"layers.{layer}.attention.projection.{rest.removeprefix('in_proj_')}"]
    prefix, kind = rest.rsplit(".", 1) if "." in rest else ("", rest)
    pattern = f"{part}.{{}}.{prefix}".rstrip(".")
    return ours[f"layers.{layer}.{next(key for key, value in LAYER.items() if value == pattern)}.{kind}"]


@pytest.mark.parametrize("form", FORMS)
def test_states_scores_loss_and_gradients(golden: Callable[[str], Golden], to_right: Callable, form: str) -> None:
    reference = golden("sasrec")
    model = build(reference, FORMS[form])
    left = reference["in/seq_left_padded"]
    items = reference["in/seq_right_padded"]
    states, valid = model(items), items != 0
    expected = torch.zeros_like(states)
    expected[valid] = reference[f"out/{form}.hidden"][left != 0]
    reference.close("hidden", states[valid], expected[valid])
    reference.check(f"out/{form}.user", model.newest(items))
    table = model.item_embedding.weight
    reference.check(f"out/{form}.scores", model.newest(items) @ table[:-1].T)

    target, negative = (reference[f"in/{name}_left_padded"] for name in ("pos", "neg"))
    learns = target != 0
    hidden = model.windows(model.item_embedding(items), valid)[learns]
    loss = against(hidden, target[learns], negative[learns][:, None], table, bce)
    reference.check(f"out/{form}.loss_bce", loss)
    loss.backward()
    ours, compared = gradients(model), reference.group(f"grad/{form}.")
    assert len(compared) == 4
    for name, gradient in compared.items():
        shape = gradient.shape
        found = theirs(name, ours)
        if name == "pos_emb.weight":  # the later form has a row for padding, which never learns
            assert not gradient[: len(gradient) - len(found)].any()
            reference.arrays[f"grad/{form}.{name}"] = gradient[-len(found) :]
        else:
            found = found.view(shape)
        reference.check(f"grad/{form}.{name}", found)


@pytest.mark.parametrize("zero_padding", [True, False])
def test_more_padding_and_other_rows_change_nothing(zero_padding: bool) -> None:
    torch.manual_seed(0)
    model = OriginalSASRec(9, 8, 4, 2, 1, 0.5, zero_padding).eval()
    items = torch.tensor([[3, 1, 4, 0, 0], [2, 0, 0, 0, 0], [5, 9, 2, 6, 5]])
    states = model(items)
    for row, length in enumerate([3, 1, 5]):
        alone = model(items[row : row + 1, :length])
        torch.testing.assert_close(states[row, :length], alone[0])
        torch.testing.assert_close(model.newest(items)[row], alone[0, -1])
    newer = items.clone()
    newer[2, -1] = 7
    torch.testing.assert_close(model(newer)[2, :-1], states[2, :-1])
    with pytest.raises(ValueError, match="a history of 9 items does not fit max_length=8"):
        model(torch.ones(1, 9, dtype=torch.int64))


def test_the_two_forms_differ_where_padding_is_seen() -> None:
    torch.manual_seed(0)
    zeroed = OriginalSASRec(9, 6, 4, 2, 1, 0.0, True).eval()
    stated = OriginalSASRec(9, 6, 4, 2, 1, 0.0, False).eval()
    stated.load_state_dict(zeroed.state_dict())
    short, full = torch.tensor([[3, 1, 4]]), torch.tensor([[3, 1, 4, 1, 5, 9]])
    assert not torch.allclose(zeroed.newest(short), stated.newest(short))
    torch.testing.assert_close(zeroed.newest(full), stated.newest(full))

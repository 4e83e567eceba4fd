"""Parts that a model may have instead of its own, and models of others."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from seqrec.backbones.base import Backbone
from seqrec.data.batch import Histories
from seqrec.export import Graph, encoder_graph
from seqrec.functional.losses import next_item
from seqrec.methods.next_item import NextItem
from tests.export.parity import MAX_LENGTH, NUM_ITEMS, difference, drawn, model_of

MEMORY = "model.backbone.memory"

VARIANTS = {
    "memories after every layer": (
        "easnrec",
        "model.backbone.memory_layers=every",
        f"{MEMORY}.slots=learned",
        f"{MEMORY}.addressing=content",
        f"{MEMORY}.fusion=gate",
    ),
    "every history loses its oldest item": ("bert4rec", "model.always_drop=true"),
    "padding that is seen": ("sasrec", "model/backbone=original_sasrec"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_of_models(variant: str, tmp_path: Path) -> None:
    model, path = model_of(*VARIANTS[variant]), tmp_path / "encoder.onnx"
    graph = encoder_graph(model, path, MAX_LENGTH)
    difference(model, graph, path, drawn([*range(1, MAX_LENGTH + 1)] * 6)).check()


class Fading(Backbone):
    """A backbone that nobody has made ready for graphs."""

    causal = True

    def __init__(self) -> None:
        super().__init__(NUM_ITEMS, 8)
        self.pace, self.output = nn.Parameter(torch.randn(8)), nn.Linear(8, 8)

    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        age = torch.arange(x.shape[1])[:, None] - torch.arange(x.shape[1])
        weight = torch.sigmoid(self.pace) ** age.clamp(min=0)[..., None] * (age >= 0)[..., None]
        states: Tensor = self.output(torch.einsum("tsd,bsd->btd", weight, x))
        return states


class Choosy(Fading):
    """Its arithmetic depends on the values."""

    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        return super().encode(x, valid) if float(x.sum()) > 0 else x


class Doubled(NextItem):
    """Its query is another than the state, which :meth:`Recommender.asking` does not know."""

    def query(self, histories: Histories) -> Tensor:
        return 2 * super().query(histories)


def learning(backbone: Backbone, method: type[NextItem] = NextItem) -> NextItem:
    return method(backbone, partial(torch.optim.Adam), next_item)


@pytest.mark.thorough
def test_a_backbone_of_ones_own(tmp_path: Path) -> None:
    model = learning(Fading())
    graph = encoder_graph(model, tmp_path / "encoder.onnx", MAX_LENGTH)
    difference(model, graph, tmp_path / "encoder.onnx", drawn([3, 1, 50])).check()
    with pytest.raises(ValueError, match="does not give what Doubled gives"):
        encoder_graph(learning(Fading(), Doubled), tmp_path / "other.onnx", MAX_LENGTH)


def test_what_cannot_be_a_graph_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"NextItem cannot become a graph: .*a part needs a form of its own"
    ) as refusal:
        encoder_graph(learning(Choosy()), tmp_path / "encoder.onnx", MAX_LENGTH)
    assert "\n" not in str(refusal.value)


def test_models_that_count_have_no_graph(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Popularity counts and has no vectors"):
        encoder_graph(model_of("popularity"), tmp_path / "encoder.onnx", MAX_LENGTH)


def test_a_model_that_knows_users_alone_has_tables_only(tmp_path: Path) -> None:
    graph = encoder_graph(model_of("bpr"), tmp_path / "encoder.onnx", MAX_LENGTH)
    assert graph == Graph(("user",), 0, 16, MAX_LENGTH, 0, False, False)
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqrec.serving.extras.find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(ValueError, match=r"export needs onnxscript; run: pip install 'seqrec\[export\]'"):
        encoder_graph(learning(Fading()), tmp_path / "encoder.onnx", MAX_LENGTH)


def test_the_model_is_left_as_it_was(tmp_path: Path) -> None:
    model = learning(Choosy()).train()
    kinds = {name: type(part) for name, part in model.named_modules()}
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError):
        encoder_graph(model, tmp_path / "encoder.onnx", MAX_LENGTH)
    assert model.training and all(part.training for part in model.modules())
    assert {name: type(part) for name, part in model.named_modules()} == kinds
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())

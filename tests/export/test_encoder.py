"""The graphs of all models that learn give what the models give: the exporter is never trusted."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.choice import thorough_but
from tests.conftest import MODELS
from tests.export.parity import CHOICES, MAX_LENGTH, NUM_ITEMS, difference, drawn, graph_of

FAST = ["sasrec"]
"""Exported in every test run."""

REAL = ["sasrec", "easnrec", "bert4rec", "gru4rec", "lrurec", "bsarec"]
"""Compared on real histories too."""

WITHOUT = {"popularity", "markov", "bpr"}
"""Two count, and one knows users alone."""

OTHERS = sorted({path.stem for path in MODELS.glob("*.yaml")} - WITHOUT - {*FAST})


@pytest.mark.parametrize("name", thorough_but(FAST, [*FAST, *OTHERS]))
def test_graphs_agree_with_their_models(name: str, graphs: Path) -> None:
    model, graph, path = graph_of(name, graphs, *CHOICES.get(name, ()))
    mixed = drawn([*range(1, MAX_LENGTH + 1)] * 6)
    for histories in (mixed, drawn([1]), drawn([7, 7]), drawn([MAX_LENGTH])):
        difference(model, graph, path, histories).check()


def test_every_model_is_exported_or_has_no_graph() -> None:
    assert len(FAST) + len(OTHERS) == 21


@pytest.mark.parametrize("name", thorough_but(FAST, REAL))
def test_graphs_agree_on_real_histories(name: str, graphs: Path, data_root: Path) -> None:
    model, graph, path = graph_of(name, graphs)
    difference(model, graph, path, beauty(data_root, 400)).check()


def beauty(root: Path, users: int) -> list[Tensor]:
    """Test histories of Beauty's first users."""
    with gzip.open(root / "sequences" / "Beauty.txt.gz", "rt") as file:
        rows = [next(file).split()[1:-1] for _ in range(users)]
    histories = [torch.tensor([int(item) for item in row[-MAX_LENGTH:]]) for row in rows]
    assert max(int(history.max()) for history in histories) <= NUM_ITEMS
    return histories

"""One-step graphs give, item by item, what their models give of the whole history."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch

from seqrec.data.batch import Histories
from seqrec.export import item_tables, step_graph
from seqrec.export.agreement import session
from tests.choice import thorough_but
from tests.export.parity import CHOICES, MAX_LENGTH, NUM_ITEMS, model_of


@pytest.mark.parametrize("name", thorough_but(["gru4rec"], ["gru4rec", "lrurec", "xlstm_lsr"]))
@torch.no_grad()
def test_step_by_step_is_the_whole_history(name: str, tmp_path: Path) -> None:
    model, path = model_of(name, *CHOICES.get(name, ())), tmp_path / "step.onnx"
    graph, exact = step_graph(model, path), deepcopy(model).double()
    assert graph is not None
    run, table = session(path), item_tables(model).input.numpy()
    items = torch.randint(1, NUM_ITEMS + 1, (3, MAX_LENGTH), generator=torch.Generator().manual_seed(2))
    state = {part: np.zeros((3, *shape), np.float32) for part, shape in graph.states.items()}
    for t in range(MAX_LENGTH):
        vector, *after = run.run(None, {"x": table[items[:, t].numpy()], **state})
        state = dict(zip(graph.states, after, strict=True))
        assert [part.shape for part in after] == [(3, *shape) for shape in graph.states.values()]
        if t in (0, 1, 6, 20, MAX_LENGTH - 1):
            # The two forms of the mLSTM differ by the 1e-6 in its divisor, which has another scale in each.
            wanted = exact.query(Histories(items[:, : t + 1])).numpy()
            np.testing.assert_allclose(vector, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_models_without_a_state_have_no_step(tmp_path: Path) -> None:
    assert step_graph(model_of("sasrec"), tmp_path / "step.onnx") is None
    assert not list(tmp_path.iterdir())

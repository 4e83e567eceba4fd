"""Steps that are compiled: one graph from a batch to its loss for all sizes of batches, and the same numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch._dynamo.utils import counters

from seqrec.nn.packing import DensePacking
from tests.factories import SMALL
from tests.test_dense_form import steps

CASES = {
    "sasrec": ["model=sasrec"],
    "easnrec": ["model=easnrec"],
    "fenrec": ["model=fenrec", "model.pair_contrast.warmup_epochs=0"],
    "bert4rec": ["model=bert4rec", "model.last_ratio=0.0"],
    "duorec": ["model=duorec"],
    # Without a GPU's own operator for it, a recurrence is unrolled to the length that it has.
    "gru4rec": ["model=gru4rec", "data.shortest=8", "data.longest=8"],
}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")


@pytest.mark.thorough
@pytest.mark.parametrize("name", CASES)
def test_one_graph_with_the_same_numbers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SMALL, "num_layers", 1)  # a second layer is traced as the first, and as slowly
    torch._dynamo.reset()
    counters.clear()
    weights, logged = steps(tmp_path, CASES[name], DensePacking)
    compiled_weights, compiled_logged = steps(tmp_path, CASES[name], DensePacking, "aot_eager")
    torch.testing.assert_close(dict(compiled_logged), dict(logged), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(dict(compiled_weights), dict(weights), rtol=1e-9, atol=1e-12)
    # EASNRec's first step has nothing to write to its memory, so there is no gradient to the write as in all others.
    assert counters["stats"]["unique_graphs"] <= (2 if name == "easnrec" else 1)
    assert not counters["graph_break"]

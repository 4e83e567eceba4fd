"""BPR's negatives: never of the training part, uniform over the rest, and new in each epoch."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest
import torch

from seqrec.backbones.factors import Factors
from seqrec.data.batch import Batch
from seqrec.methods.bpr import BPR
from tests.factories import make_sequences, of_parts


@pytest.fixture
def model() -> BPR:
    """Two users of ten items; in training they have 1 and 5, and 10."""
    sequences = make_sequences([[1, 5, 2, 3], [10, 4, 6]], num_items=10)
    model = BPR(Factors(10, 2, 4), partial(torch.optim.Adam, lr=1e-3), num_negatives=3)
    model.trainer = SimpleNamespace(datamodule=SimpleNamespace(sequences=sequences), current_epoch=0)  # type: ignore[assignment]
    model.on_fit_start()
    return model


def batch(user: int, rows: int = 4000) -> Batch:
    row = torch.arange(rows)
    nothing = row.new_zeros(rows, 0)
    return Batch(row, torch.full_like(row, user), nothing, torch.ones_like(row), nothing)


@pytest.mark.parametrize(("user", "seen"), [(0, {1, 5}), (1, {10})])
def test_negatives_are_uniform_over_unseen_items(model: BPR, user: int, seen: set[int]) -> None:
    drawn = model.negatives(batch(user))
    assert drawn.shape == (4000, 3)
    counts = torch.bincount(drawn.flatten(), minlength=11)
    unseen = [item for item in range(1, 11) if item not in seen]
    assert counts.sum() == counts[unseen].sum() == 12000
    expected = 12000 / len(unseen)
    assert ((counts[unseen] - expected) ** 2 / expected).sum() < 30  # chi-square, up to 8 degrees of freedom


def test_negatives_depend_on_row_and_epoch_only(model: BPR) -> None:
    whole = model.negatives(batch(0))
    part = of_parts(lambda x: x[100:110], batch(0))
    assert torch.equal(model.negatives(part), whole[100:110])
    model.trainer.current_epoch = 1  # type: ignore[misc]
    assert not torch.equal(model.negatives(batch(0)), whole)


def test_vectors_start_as_asked() -> None:
    torch.manual_seed(0)
    small = Factors(400, 300, 16, partial(torch.nn.init.normal_, std=1e-4))
    for table in (small.item_matrix, small.user_matrix):
        assert float(table.detach().std()) == pytest.approx(1e-4, rel=0.05)
    assert not small.item_embedding.weight[0].any()

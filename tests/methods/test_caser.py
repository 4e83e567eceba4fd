"""Caser's network: the user and the padding count, and an unknown user has a vector of its own."""

from __future__ import annotations

import pytest
import torch

from seqrec.backbones.caser.caser import CaserEncoder


@pytest.fixture
def network() -> CaserEncoder:
    torch.manual_seed(0)
    return CaserEncoder(30, 4, 20, 6, num_horizontal=2, num_vertical=2, dropout=0.0)


def test_a_vector_belongs_to_history_and_user(network: CaserEncoder) -> None:
    items = torch.tensor([[3, 7, 1, 0, 0]]).repeat(3, 1)
    vectors = network.newest(items, torch.tensor([0, 1, 0]))
    assert torch.equal(vectors[0], vectors[2])
    assert not torch.allclose(vectors[0], vectors[1])
    unknown = network.newest(items)[0]
    assert not torch.allclose(unknown, vectors[0])
    assert torch.equal(network(items)[0], unknown.expand(5, -1))


def test_rows_of_any_length_come_back_in_the_order_of_the_batch(network: CaserEncoder) -> None:
    items = torch.randint(1, 31, (12, 20)) * (torch.arange(20) < torch.randperm(20)[:12, None] + 1)
    together = network.newest(items)
    alone = torch.cat([network.newest(row[None, : int((row != 0).sum())]) for row in items])
    torch.testing.assert_close(together, alone)


def test_an_image_has_no_place_for_more_items(network: CaserEncoder) -> None:
    with pytest.raises(ValueError, match="21 items does not fit an image of max_length=20"):
        network.newest(torch.ones(1, 21, dtype=torch.int64))

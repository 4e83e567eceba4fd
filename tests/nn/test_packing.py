"""Packing against the same work on padded rows."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seqrec.nn.packing import Packing

LENGTHS = [
    pytest.param([5, 5, 5], id="no padding"),
    pytest.param([4], id="one history"),
    pytest.param([2, 30, 7, 9, 30, 1], id="histories of many lengths"),
]


def mean_so_far(x: Tensor, valid: Tensor) -> Tensor:
    """Something that mixes the positions of a row, as attention does."""
    counts = valid.cumsum(1).clamp(min=1)
    return (x * valid[..., None]).cumsum(1) / counts[..., None]


def product_with_mean(query: Tensor, x: Tensor, valid: Tensor) -> Tensor:
    return query * mean_so_far(x, valid)[:, -1]


@pytest.mark.parametrize("lengths", LENGTHS)
def test_packed_equals_padded(lengths: list[int]) -> None:
    valid = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    x = torch.randn(*valid.shape, 3, dtype=torch.float64, requires_grad=True)
    query = torch.randn(len(lengths), 3, dtype=torch.float64, requires_grad=True)
    packing = Packing(valid)
    packed = packing.pack(x)
    assert len(packed) == sum(lengths)
    assert torch.equal(packed, x.flatten(0, 1)[packing.index])
    assert torch.equal(packing.unpack(packed), x * valid[..., None])

    along = packing.unpack(packing.by_length(mean_so_far, packed))
    torch.testing.assert_close(packing.unpack(packing.by_length(mean_so_far, packed, most_pairs=100)), along)
    at_newest = packing.in_batch_order(
        packing.newest_by_length(product_with_mean, query[packing.order], packed) + packed[packing.newest]
    )
    newest = x[torch.arange(len(lengths)), torch.tensor(lengths) - 1]
    wanted = mean_so_far(x, valid) * valid[..., None]
    wanted_at_newest = product_with_mean(query, x, valid) + newest
    torch.testing.assert_close(along, wanted)
    torch.testing.assert_close(at_newest, wanted_at_newest)

    weight = torch.randn_like(wanted), torch.randn_like(query)
    found = torch.autograd.grad((along * weight[0]).sum() + (at_newest * weight[1]).sum(), [x, query])
    right = torch.autograd.grad((wanted * weight[0]).sum() + (wanted_at_newest * weight[1]).sum(), [x, query])
    torch.testing.assert_close(found, right)


def test_wide_groups_of_closer_lengths() -> None:
    lengths = torch.tensor([50, 100, 80, 90, 30, 60, 52])
    packing, sizes = Packing(torch.arange(100) < lengths[:, None]), []

    def noted(x: Tensor, valid: Tensor) -> Tensor:
        sizes.append(tuple(valid.shape))
        return x

    x = torch.rand(int(lengths.sum()), 2)
    assert torch.equal(packing.by_length(noted, x, ratio=1.2), x)
    assert sizes == [(2, 100), (1, 80), (2, 60), (2, 50)]  # of (5, 100) and (2, 50)


def test_at_most_so_many_pairs_at_a_time() -> None:
    sizes = []

    def noted(x: Tensor, valid: Tensor) -> Tensor:
        sizes.append(tuple(valid.shape))
        return x

    lengths = torch.tensor([8] * 5 + [30, 30])
    packing = Packing(torch.arange(30) < lengths[:, None])
    x = torch.randn(int(lengths.sum()), 2)
    assert torch.equal(packing.by_length(noted, x, most_pairs=2 * 8 * 8), x)
    assert sizes == [(1, 30), (1, 30), (2, 8), (2, 8), (1, 8)]

"""DensePacking against Packing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seqrec.nn.packing import DensePacking, Packing, packed_as

LENGTHS = [[5, 5, 5], [4], [2, 30, 7, 9, 30, 1]]


def sums(x: Tensor, valid: Tensor) -> Tensor:
    return (x * valid[..., None]).cumsum(1)


def product_with_sum(query: Tensor, x: Tensor, valid: Tensor) -> Tensor:
    return query * sums(x, valid)[:, -1]


@pytest.mark.parametrize("lengths", LENGTHS)
def test_dense_equals_packed(lengths: list[int]) -> None:
    valid = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    x = torch.randn(*valid.shape, 3, dtype=torch.float64)
    query = torch.randn(len(lengths), 3, dtype=torch.float64)
    chosen = valid & (torch.rand(valid.shape) < 0.5)
    found = []
    for form in (Packing, DensePacking):
        with packed_as(form):
            packing = Packing.of(valid)
        assert type(packing) is form
        packed = packing.pack(x)
        found.append((
            packing.unpack(packing.by_length(sums, packed, most_pairs=100))[valid],
            packing.in_batch_order(packing.newest_by_length(product_with_sum, query[packing.order], packed)),
            packing.in_batch_order(packed[packing.newest]),
            packed[packing.places(chosen)],
        ))  # fmt: skip
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_no_shape_depends_on_the_lengths() -> None:
    one, other = (DensePacking(torch.arange(5) < torch.tensor(n)[:, None]) for n in ([1, 5], [5, 5]))
    assert one.index.shape == other.index.shape == (10,)
    assert one.groups == other.groups == [(2, 5)]


def test_the_form_in_use_ends_with_its_block() -> None:
    valid = torch.ones(2, 3, dtype=torch.bool)
    with pytest.raises(KeyError), packed_as(DensePacking):
        raise KeyError
    assert type(Packing.of(valid)) is Packing

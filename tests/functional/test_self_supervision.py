"""S3-Rec's views and losses against definitions in plain loops."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from seqrec.functional.keyed_random import rng_keys
from seqrec.functional.self_supervision import attribute_loss, hide_segment, uniform_outside

TOKEN = 21
ROWS = torch.arange(1600)


def histories() -> torch.Tensor:
    """1600 rows of 1 to 8 items of 20, some of them repeated."""
    items = torch.randint(1, TOKEN, (1600, 8), generator=torch.Generator().manual_seed(0))
    return items * (torch.arange(8) <= (ROWS % 8)[:, None])


def test_segments() -> None:
    items, pool = histories(), torch.arange(1, TOKEN)
    context, positive, negative = hide_segment(items, rng_keys(0, 0, ROWS, stream=0), pool, TOKEN)
    starts, lengths, others = set(), set(), set()
    for row, shown, alone, other in zip(*(x.tolist() for x in (items, context, positive, negative)), strict=True):
        count = sum(item != 0 for item in row)
        assert all((a == 0) == (b == 0) for part in (shown, alone, other) for a, b in zip(part, row, strict=True))
        if count == 1:
            assert row == shown == alone == other
            continue
        inside = [i for i in range(count) if shown[i] == TOKEN]
        assert inside == list(range(inside[0], inside[-1] + 1))
        assert 1 <= len(inside) <= count // 2
        for i in range(count):
            assert shown[i] == (TOKEN if i in inside else row[i])
            assert alone[i] == (row[i] if i in inside else TOKEN)
            assert (other[i] == TOKEN) == (i not in inside)
        drawn = [other[i] for i in inside]
        assert drawn == list(range(drawn[0], drawn[-1] + 1)), "a stretch of the pool"
        if count == 8:
            starts.add(inside[0])
            lengths.add(len(inside))
            others.add(drawn[0])
    assert lengths == {1, 2, 3, 4}
    assert starts == set(range(8))
    assert len(others) > 10


def test_batch_mates_and_padding_change_no_view() -> None:
    items, pool, all_keys = histories(), torch.arange(1, TOKEN), rng_keys(0, 0, ROWS, stream=0)
    few = [2, 5]
    for view, some in zip(
        hide_segment(items, all_keys, pool, TOKEN),
        hide_segment(items[few][:, :6], all_keys[few], pool, TOKEN),
        strict=True,
    ):
        assert torch.equal(view[few][:, :6], some)
    drawn = uniform_outside(items, all_keys, TOKEN)[few][:, :6]
    assert torch.equal(drawn, uniform_outside(items[few][:, :6], all_keys[few], TOKEN))


def test_negatives_are_uniform_over_what_a_row_does_not_have() -> None:
    items = torch.tensor([[3, 1, 3, 6, 0, 0]]).expand(4000, -1)
    drawn = uniform_outside(items, rng_keys(0, 0, torch.arange(4000), stream=1), high=7)
    found, count = drawn.unique(return_counts=True)
    assert found.tolist() == [2, 4, 5, 7]
    torch.testing.assert_close(count / count.sum(), torch.full((4,), 0.25), rtol=0, atol=0.01)


def test_attribute_loss_is_a_binary_cross_entropy_over_all_attributes() -> None:
    generator = torch.Generator().manual_seed(0)
    states, classes = (torch.randn(n, 4, generator=generator, dtype=torch.float64) for n in (5, 9))
    attributes = torch.tensor([[1, 9, 0], [0, 0, 0], [2, 3, 4], [7, 0, 0], [9, 8, 0]])
    targets = torch.zeros(5, 10, dtype=torch.float64).scatter(1, attributes, 1.0)[:, 1:]
    for tensor in (states, classes):
        tensor.requires_grad_()
    expected = F.binary_cross_entropy_with_logits(states @ classes.T, targets, reduction="sum")
    actual = attribute_loss(states, classes, attributes)
    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(
        torch.autograd.grad(actual, (states, classes)), torch.autograd.grad(expected, (states, classes))
    )

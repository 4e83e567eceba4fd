"""Caser's filters on differences from padding, in padded groups of heights, against plain convolutions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from seqrec.backbones.caser.image_filters import HorizontalFilters, VerticalFilters

ROWS, DIM, FILTERS = 19, 3, 2


def images(width: int) -> tuple[torch.Tensor, ...]:
    """What may learn, padding's row, four differences of histories of up to ``width`` items, and the whole images."""
    generator = torch.Generator().manual_seed(width)
    blank = torch.randn(DIM, dtype=torch.float64, generator=generator)
    source = torch.randn(4, width, DIM, dtype=torch.float64, generator=generator, requires_grad=True)
    length = torch.tensor([width, max(1, width // 2), 1, width])
    image = source * (torch.arange(width) < length[:, None])[..., None]  # no gradient to padding
    return source, blank, image, F.pad(image, (0, 0, 0, ROWS - width)) + blank


@pytest.mark.parametrize("width", [1, 2, 8, 9, 17, 18, 19])
def test_vertical(width: int) -> None:
    filters = VerticalFilters(ROWS, FILTERS).double()
    _, blank, image, whole = images(width)
    plain = F.conv2d(whole[:, None], filters.weight[:, None, :, None], filters.bias).flatten(1)
    torch.testing.assert_close(filters([image], blank)[0], plain)


@pytest.mark.parametrize("width", [1, 2, 8, 9, 17, 18, 19])
def test_horizontal(width: int) -> None:
    filters = HorizontalFilters(ROWS, DIM, FILTERS).double()
    source, blank, image, whole = images(width)
    plain = []
    for height in range(1, ROWS + 1):
        weight = filters.weight[filters.height == height - 1].view(FILTERS, 1, height, DIM)
        bias = filters.bias[(height - 1) * FILTERS : height * FILTERS]
        plain.append(F.conv2d(whole[:, None], weight, bias)[..., 0].amax(2))
    expected, ours = torch.cat(plain, 1), filters([image], blank)[0]
    torch.testing.assert_close(ours, expected)
    probe = torch.randn_like(expected)
    inputs = (source, filters.weight, filters.bias)
    gradients = (torch.autograd.grad((x * probe).sum(), inputs, retain_graph=True) for x in (ours, expected))
    for mine, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_norms() -> None:
    filters = HorizontalFilters(ROWS, DIM, FILTERS)
    expected = [filters.weight[filters.height == height].norm() for height in range(ROWS)]
    torch.testing.assert_close(filters.norms(), torch.stack(expected))

"""Caser's filters over an image of L rows (history, oldest first) and D columns, most of which may be padding.

An image is given as its difference from one that is all padding: ``(B, l, D)``, where the rows from l on are zero.
Filters are linear before they are pooled, so the answer to the padding image is computed once and added.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEIGHTS = 16  # heights that one convolution covers, with filters padded to the greatest of them


class VerticalFilters(nn.Module):
    """Weighted sums over the rows, one a column: ``v_kc = sum_l a_kl X_lc + b_k``.

    Args:
        rows: L.
        num_filters: K.
    """

    def __init__(self, rows: int, num_filters: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_filters, rows).uniform_(-1 / sqrt(rows), 1 / sqrt(rows)))
        self.bias = nn.Parameter(torch.empty(num_filters).uniform_(-1 / sqrt(rows), 1 / sqrt(rows)))

    def forward(self, images: Sequence[Tensor], blank: Tensor) -> list[Tensor]:
        """Images ``(B, l, D)`` of several widths l, beside rows ``blank`` ``(D,)`` -> ``(B, K * D)`` of each."""
        constant = self.weight.sum(1)[:, None] * blank + self.bias[:, None]
        return [(self.weight[:, : image.shape[1]] @ image + constant).flatten(1) for image in images]


class HorizontalFilters(nn.Module):
    """Filters of each height 1..L and the full width, pooled: ``max_t <F, X_(t .. t + height - 1)> + b``.

    Args:
        rows: L.
        dim: D.
        num_filters: K filters of each height.

    Attributes:
        weight: ``(K * L * (L + 1) / 2, D)``, rows of the filters, by height, then filter.
        bias: ``(L * K,)``.
        place, inside: rows of ``weight`` that make up the filters padded to the greatest height of their group.
        height: ``(K * L * (L + 1) / 2,)`` height - 1 of the filter that a row of ``weight`` belongs to.
    """

    place: Tensor
    inside: Tensor
    height: Tensor

    def __init__(self, rows: int, dim: int, num_filters: int) -> None:
        super().__init__()
        self.rows, self.num_filters = rows, num_filters
        heights = torch.arange(1, rows + 1)
        height = torch.repeat_interleave(heights - 1, heights * num_filters)
        bound = (heights * dim) ** -0.5
        self.weight = nn.Parameter((torch.rand(len(height), dim) * 2 - 1) * bound[height][:, None])
        self.bias = nn.Parameter((torch.rand(rows, num_filters) * 2 - 1).mul(bound[:, None]).flatten())
        places, insides = [], []
        for low in range(1, rows + 1, HEIGHTS):
            group = torch.arange(low, min(low + HEIGHTS, rows + 1))
            start = (num_filters * group * (group - 1) // 2)[:, None, None]
            filters = torch.arange(num_filters)[None, :, None] * group[:, None, None]
            within = torch.arange(int(group[-1]))
            inside = (within < group[:, None, None]).expand(-1, num_filters, -1)
            places.append(torch.where(inside, start + filters + within, 0).flatten())
            insides.append(inside.flatten())
        self.register_buffer("place", torch.cat(places), persistent=False)
        self.register_buffer("inside", torch.cat(insides), persistent=False)
        self.register_buffer("height", height, persistent=False)

    def forward(self, images: Sequence[Tensor], blank: Tensor) -> list[Tensor]:
        """Images ``(B, l, D)`` of several widths l, beside rows ``blank`` ``(D,)`` -> ``(B, L * K)`` of each."""
        padded = F.embedding(self.place, self.weight) * self.inside[:, None]
        lows = range(1, self.rows + 1, HEIGHTS)
        highs = [min(low + HEIGHTS - 1, self.rows) for low in lows]
        sizes = [(high - low + 1) * self.num_filters * high for low, high in zip(lows, highs, strict=True)]
        groups = [part.unflatten(0, (-1, high)) for part, high in zip(padded.split(sizes), highs, strict=True)]
        constant = torch.cat([(group @ blank).sum(1) for group in groups]) + self.bias
        return [self._respond(image, groups, constant) for image in images]

    def _respond(self, image: Tensor, groups: list[Tensor], constant: Tensor) -> Tensor:
        rows = min(image.shape[1] + 1, self.rows)  # with one row of padding, for windows that hold nothing else
        image = image.transpose(1, 2)
        pooled = []
        for number, group in enumerate(groups):
            low, high = number * HEIGHTS + 1, group.shape[1]
            taken, places = min(high, rows), min(rows, self.rows - low + 1)
            columns = F.pad(image, (0, max(0, places + taken - 1 - image.shape[2])))[:, :, : places + taken - 1]
            response = F.conv1d(columns, group[:, :taken].transpose(1, 2))  # (B, heights * K, places)
            if places > self.rows - high + 1:  # the higher filters have fewer places
                height = (
                    torch.arange(low, high + 1, device=image.device)[:, None].expand(-1, self.num_filters).flatten()
                )
                outside = torch.arange(places, device=image.device) > self.rows - height[:, None]
                response = response.masked_fill(outside, -torch.inf)
            pooled.append(response.amax(2))
        return torch.cat(pooled, dim=1) + constant

    def norms(self) -> Tensor:
        """``(L,)`` Frobenius norm of the filters of each height."""
        squares = (self.weight**2).sum(1)
        return squares.new_zeros(self.rows).index_add(0, self.height, squares).sqrt()

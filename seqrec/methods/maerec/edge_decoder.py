"""EdgeDecoder: whether there is an edge between two nodes, from all pairs of their layers (MAERec)."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class EdgeDecoder(nn.Module):
    """``exp(sigmoid(MLP([E_i[a] * E_j[b] for all i, j])))``, a score from 1 to e.

    Args:
        dim: width D of a layer.
        num_layers: G layers a node.
    """

    def __init__(self, dim: int, num_layers: int) -> None:
        super().__init__()
        sizes = [dim * num_layers**2, dim * num_layers, dim, 1]
        maps = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        self.maps = nn.ModuleList(maps)
        for linear in maps:
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """Scores ``(...)`` of nodes ``(..., G, D)`` and others ``(..., G, D)``, whose shapes are broadcast."""
        x = (one[..., :, None, :] * other[..., None, :, :]).flatten(-3)
        for linear in self.maps[:-1]:
            x = F.relu(linear(x))
        return self.maps[-1](x).squeeze(-1).sigmoid().exp()

    def loss(self, layers: list[Tensor], edges: Tensor, ends: Tensor, starts: Tensor) -> Tensor:
        """``- sum_e log(s_e / (s_e + sum of the scores of e's negatives))``.

        Args:
            layers: G tables ``(V, D)``.
            edges: ``(P, 2)`` edges that exist.
            ends: ``(P, K)`` nodes in the place of an edge's second one, each a negative.
            starts: ``(P, K)`` nodes in the place of the first one.
        """
        nodes = torch.stack(layers, dim=1)  # (V, G, D)
        first, second = nodes[edges[:, :1]], nodes[edges[:, 1:]]  # (P, 1, G, D)
        positive = self(first, second)[:, 0]
        negative = self(first, nodes[ends]).sum(1) + self(nodes[starts], second).sum(1)
        return -torch.log(positive / (positive + negative + 1e-8) + 1e-8).sum()

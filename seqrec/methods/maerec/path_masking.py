"""MAERec's adaptive masking: which nodes are most like their surroundings, and the paths around them.

Source: Ye, Xia, Huang, Graph Masked Autoencoder for Sequential Recommendation, SIGIR 2023, in SSLRec's form.
Shapes: V nodes, E directed edges, D width.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.functional.keyed_random import Stream, uniform
from seqrec.functional.precision import at_least_float

Draw = Callable[[int], Tensor]
"""The next ``n`` uniform numbers ``(n,)`` in [0, 1)."""


class PathDraws:
    """The draws of one mask: each call gives the numbers of the next stream, from ``Stream.PATHS`` on.

    Args:
        key: the key ``()`` of a stream.
    """

    def __init__(self, key: Callable[[int], Tensor]) -> None:
        self.key, self.stream = key, int(Stream.PATHS)

    def __call__(self, n: int) -> Tensor:
        """The next ``n`` uniform numbers ``(n,)`` in [0, 1)."""
        drawn = uniform(self.key(self.stream), n)
        self.stream += 1
        return drawn


SMALLEST = 2.0**-25  # below every positive draw, so that the double logarithm stays finite


def node_scores(table: Tensor, rows: Tensor, cols: Tensor, depth: int, path_ratio: float, draw: Draw) -> Tensor:
    """How close each node is to its sampled surroundings, a cosine, plus Gumbel noise.

    A term of the sum over ``depth + 1`` rings subtracts what the ring before has counted already; each ring keeps
    an edge of the last one with probability ``path_ratio ** ring``.

    Args:
        table: ``(V, D)`` vectors of the nodes; the gradient goes there.
        rows, cols: ``(E,)`` edges, loops included.
        depth: rings beyond the first.
        path_ratio: p.
        draw: a number for each edge of each ring, then one for each node.

    Returns:
        ``(V,)``.
    """
    nodes = len(table)
    degree = torch.bincount(rows, minlength=nodes).to(table.dtype)[:, None]
    alone = degree == 1
    ring = _spread(rows, cols, table) - table
    count = degree
    total, counted = ring, count
    for step in range(1, depth + 1):
        kept = draw(len(rows)) < path_ratio**step
        rows, cols = rows[kept], cols[kept]
        ring = _spread(rows, cols, ring) - ring - degree * ring
        count = _spread(rows, cols, count) - count - degree
        degree = torch.bincount(rows, minlength=nodes).to(table.dtype)[:, None]
        total, counted = total + ring, counted + count
    # A node with a loop alone has no surroundings; the slope of a direction at zero, 1e12, would drown its gradient.
    directions = F.normalize(total / (counted + 1e-8), dim=1)
    surroundings = torch.where(alone, 0.0, directions)
    noise = -(-draw(nodes).clamp(min=SMALLEST).log()).log()
    return (surroundings * F.normalize(table, dim=1)).sum(1) + noise


def mask_paths(
    rows: Tensor, cols: Tensor, seeds: Tensor, nodes: int, depth: int, path_ratio: float, draw: Draw
) -> tuple[Tensor, Tensor, Tensor]:
    """Mask all edges at the seeds, then at nodes further along, ``depth`` times.

    As released: the next seeds are a random part of the *sums* of both ends' numbers, not of the ends.

    Args:
        rows, cols: ``(E,)`` edges.
        seeds: ``(S,)`` nodes.
        nodes: V.
        depth: how often.
        path_ratio: p; after the k-th time ``floor(p ** k * n)`` of n candidates stay.
        draw: a number for each candidate, whose order decides.

    Returns:
        Masked edges ``(M, 2)`` in the order of masking, rows and columns ``(E - M,)`` of the others.
    """
    masked = []
    for step in range(1, depth + 1):
        is_seed = torch.zeros(nodes, dtype=torch.bool, device=rows.device)
        is_seed[seeds[seeds < nodes]] = True
        hit = is_seed[rows] | is_seed[cols]
        masked.append(torch.stack([rows[hit], cols[hit]], dim=1))
        rows, cols = rows[~hit], cols[~hit]
        if step < depth:
            candidates = torch.unique(masked[-1].sum(1))
            kept = int(len(candidates) * path_ratio**step)
            seeds = candidates[draw(len(candidates)).argsort()[:kept]]
    return torch.cat(masked), rows, cols


def _spread(rows: Tensor, cols: Tensor, x: Tensor) -> Tensor:
    """The sum ``(V, D)`` of ``x[cols]`` at each of ``rows``; the edges need not be symmetric.

    In full precision under autocast too: sparse products have no half precision.
    """
    with torch.autocast(x.device.type, enabled=False):
        x = at_least_float(x)
        ones = torch.ones(len(rows), dtype=x.dtype, device=x.device)
        edges = torch.sparse_coo_tensor(torch.stack([rows, cols]), ones, (len(x), len(x)), check_invariants=False)
        product: Tensor = torch.sparse.mm(edges, x)
    return product

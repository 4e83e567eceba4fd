"""KMeans: clusters of states, recomputed now and then, with centroids that are part of the checkpoint."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

CHUNK_ELEMENTS = 1 << 18  # distances in memory at a time: 1 MB, which stays in the cache
RESTARTS, FIRST_STEPS, LATER_STEPS = 5, 20, 100
STARTED = 128  # few clusters get more starts, of this many centroids in all: cheap, and a bad start hurts them more
SETTLED = 1e-3  # stop when at most this fraction of the points changes its cluster
SPLIT = 1 / 1024  # relative distance of the two halves of a cluster
DEVICE_ELEMENTS = 1 << 28  # distances in memory at a time on a GPU: 1 GB; more operators cost more than more memory
CHECKED = 10  # steps on a GPU from one question whether all have settled to the next: the host waits for the answer


class KMeans(nn.Module):
    """Lloyd's algorithm in the Euclidean distance, warm-started from its last result.

    The first fit keeps the best of 5 random starts of 20 steps (of more below 22 clusters). A later one continues
    from the stored centroids for up to 100 steps, as faiss does for ICSRec and FENRec, which reuse a clustering.

    Args:
        num_clusters: K.
        dim: D.
        seed: of the random starts, which draw from a generator of their own.
    """

    centroids: Tensor
    fitted: Tensor

    def __init__(self, num_clusters: int, dim: int, seed: int = 0) -> None:
        super().__init__()
        if num_clusters < 1:
            raise ValueError(f"num_clusters is {num_clusters}; it must be at least 1")
        self.seed = seed
        self.register_buffer("centroids", torch.zeros(num_clusters, dim))
        self.register_buffer("fitted", torch.tensor(False))

    def check(self, points: int) -> None:
        """Refuse so few points that they cannot be clustered.

        Raises:
            ValueError: with what to lower.
        """
        if points <= len(self.centroids):
            raise ValueError(f"{points} points cannot make {len(self.centroids)} clusters; lower num_clusters")

    @torch.no_grad()
    def fit(self, points: Tensor) -> None:
        """Move the centroids to clusters of ``points`` ``(N, D)``; N must be above K."""
        self.check(len(points))
        clusters = len(self.centroids)
        points = points.to(self.centroids.dtype)
        if self.fitted:
            found, _ = lloyd(points, self.centroids, LATER_STEPS)
        else:
            generator = torch.Generator().manual_seed(self.seed)
            number = max(RESTARTS, STARTED // clusters)
            starts = [torch.randperm(len(points), generator=generator)[:clusters] for _ in range(number)]
            tried = [lloyd(points, points[start.to(points.device)], FIRST_STEPS) for start in starts]
            found, _ = min(tried, key=lambda result: result[1])
        self.centroids.copy_(found)
        self.fitted.fill_(True)

    @torch.no_grad()
    def assign(self, points: Tensor) -> Tensor:
        """The cluster of each of ``points`` ``(N, D)``, ``(N,)``: that of the nearest centroid."""
        parts = _nearest(points.to(self.centroids.dtype), self.centroids)
        return torch.cat([part.indices for part in parts])


def lloyd(points: Tensor, centroids: Tensor, steps: int) -> tuple[Tensor, float]:
    """Centroids ``(K, D)`` after some steps, and the sum of squared distances to those before the last one.

    Stops early when hardly a point changes its cluster. An empty cluster takes one half of a large one.
    """
    before, every = None, CHECKED if points.is_cuda else 1
    for step in range(1, steps + 1):
        cluster, distance = nearest(points, centroids)
        centroids = (means_by_products if points.is_cuda else means)(points, cluster, centroids)
        if before is not None and step % every == 0 and _settled(cluster, before):
            break
        before = cluster
    return centroids, float(distance.double().sum())


def _settled(cluster: Tensor, before: Tensor) -> bool:
    """Whether hardly a point has changed its cluster."""
    return int((cluster != before).sum()) <= SETTLED * len(cluster)


def nearest(points: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """Number of the nearest centroid ``(N,)`` and the squared distance ``(N,)`` of points ``(N, D)``."""
    # |x - c|^2 = |x|^2 - 2 x c + |c|^2. The first term is the same for all centroids, so it is added after the minimum.
    parts = _nearest(points, centroids)
    cluster = torch.cat([part.indices for part in parts])
    return cluster, torch.cat([part.values for part in parts]) + points.square().sum(1)


def _nearest(points: Tensor, centroids: Tensor) -> list[Any]:
    """Squared distances from the nearest centroids less ``|x|^2``, ``values`` and ``indices`` of some points a part."""
    rows, squared = _rows(points, centroids), centroids.square().sum(1)
    return [torch.addmm(squared, x, centroids.T, alpha=-2).min(1) for x in points.split(rows)]


def _rows(points: Tensor, centroids: Tensor) -> int:
    """How many points are compared with all centroids at a time."""
    return max(1, (DEVICE_ELEMENTS if points.is_cuda else CHUNK_ELEMENTS) // len(centroids))


def means(points: Tensor, cluster: Tensor, centroids: Tensor) -> Tensor:
    """Mean ``(K, D)`` of the points of each cluster; empty ones are split off from the largest."""
    clusters = len(centroids)
    size = torch.bincount(cluster, minlength=clusters)
    total = torch.zeros_like(centroids).index_add_(0, cluster, points)
    moved = torch.where(size[:, None] > 0, total / size[:, None], centroids)
    empty = torch.nonzero(size == 0).flatten()
    if len(empty):
        # As faiss does: an empty cluster gets a copy of the mean of a large one, and the two are moved apart a little,
        # up in one coordinate and down in the next. The next step divides the points between them.
        large = torch.argsort(size, descending=True, stable=True)[: min(len(empty), clusters - len(empty))]
        empty = empty[: len(large)]
        shift = SPLIT * (1 - 2 * (torch.arange(points.shape[1], device=points.device) % 2))
        moved[empty] = moved[large] * (1 + shift)
        moved[large] = moved[large] * (1 - shift)
    return moved


def means_by_products(points: Tensor, cluster: Tensor, centroids: Tensor) -> Tensor:
    """:func:`means` without a question to the device, and in the same order of sums each time."""
    clusters, number = len(centroids), torch.arange(len(centroids), device=points.device)
    total, size = torch.zeros_like(centroids), torch.zeros_like(centroids[:, 0])
    rows = _rows(points, centroids)
    for x, own in zip(points.split(rows), cluster.split(rows), strict=True):
        member = (own == number[:, None]).to(x.dtype)  # (K, n)
        total, size = total.addmm(member, x), size + member.sum(1)
    moved = torch.where(size[:, None] > 0, total / size[:, None], centroids)
    # As in `means`: the first empty cluster is split off from the largest, the next from the next, while there are any.
    empty = size == 0
    order = torch.argsort(size, descending=True, stable=True)
    number_of_empty, place = empty.cumsum(0), torch.empty_like(order).index_copy_(0, order, number)
    splits = torch.minimum(number_of_empty[-1], clusters - number_of_empty[-1])
    shift = SPLIT * (1 - 2 * (torch.arange(points.shape[1], device=points.device) % 2))
    halves = torch.where((place < splits)[:, None], moved * (1 - shift), moved)
    of_empty = moved[order[(number_of_empty - 1).clamp(min=0)]] * (1 + shift)
    return torch.where((empty & (number_of_empty <= splits))[:, None], of_empty, halves)

"""K-means: the clusters it must find, warm starts, empty clusters, random state."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seqrec.nn import kmeans
from seqrec.nn.kmeans import KMeans


def blobs(num: int = 3, each: int = 50, dim: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    centres = 10 * torch.randn(num, dim, generator=generator)
    label = torch.arange(num).repeat(each)
    return centres[label] + 0.1 * torch.randn(num * each, dim, generator=generator), label


def objective(points: Tensor, centroids: Tensor) -> float:
    return float(torch.cdist(points, centroids).square().amin(1).sum())


def test_separate_blobs_are_found() -> None:
    points, label = blobs()
    model = KMeans(3, 4)
    model.fit(points)
    cluster = model.assign(points)
    assert len(set(zip(cluster.tolist(), label.tolist(), strict=True))) == 3
    for k in range(3):
        torch.testing.assert_close(model.centroids[k], points[cluster == k].mean(0))


def test_assignment_is_to_the_nearest_for_any_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    points, centroids = torch.randn(101, 3), torch.randn(7, 3)
    expected = torch.cdist(points, centroids)
    for elements in (1, 50, 10**6):
        monkeypatch.setattr(kmeans, "CHUNK_ELEMENTS", elements)
        cluster, distance = kmeans.nearest(points, centroids)
        assert torch.equal(cluster, expected.argmin(1))
        torch.testing.assert_close(distance, expected.amin(1).square(), rtol=1e-4, atol=1e-5)


def test_a_later_fit_goes_on_from_the_stored_centroids() -> None:
    points = torch.randn(400, 5, generator=torch.Generator().manual_seed(3))
    model = KMeans(12, 5)
    model.fit(points)
    first = model.centroids.clone()
    again = KMeans(12, 5, seed=99)  # its seed does not matter any more
    again.load_state_dict(model.state_dict())
    moved = points + 0.05 * torch.randn(points.shape, generator=torch.Generator().manual_seed(4))
    for one in (model, again):
        one.fit(moved)
    assert torch.equal(model.centroids, again.centroids)
    assert not torch.equal(model.centroids, first)
    assert objective(moved, model.centroids) <= objective(moved, first)
    assert float((model.centroids - first).norm(dim=1).median()) < 0.5  # cluster numbers keep their meaning


def test_the_best_start_is_kept_and_the_global_random_state_left_alone() -> None:
    points = torch.randn(300, 2, generator=torch.Generator().manual_seed(5))
    before = torch.get_rng_state()
    one, other = KMeans(15, 2, seed=1), KMeans(15, 2, seed=1)
    one.fit(points)
    torch.randn(3)
    other.fit(points)
    assert torch.equal(one.centroids, other.centroids)
    generator = torch.Generator().manual_seed(1)
    starts = [points[torch.randperm(300, generator=generator)[:15]] for _ in range(5)]
    found = min(objective(points, kmeans.lloyd(points, start, 20)[0]) for start in starts)
    assert objective(points, one.centroids) <= found * 1.02  # the best is chosen before its last step
    torch.set_rng_state(before)
    KMeans(15, 2).fit(points)
    assert torch.equal(torch.get_rng_state(), before)


def test_empty_clusters_take_a_part_of_large_ones() -> None:
    points = torch.randn(200, 3, generator=torch.Generator().manual_seed(6))
    start = points[:8].clone()
    start[4:] = 1e6  # nobody's nearest
    centroids, _ = kmeans.lloyd(points, start, 50)
    size = torch.bincount(kmeans.nearest(points, centroids)[0], minlength=8)
    assert bool((size > 0).all())


def test_equal_points_do_no_harm() -> None:
    model = KMeans(5, 3)
    model.fit(torch.ones(20, 3))
    assert bool(torch.isfinite(model.centroids).all())


def test_too_few_points_are_refused() -> None:
    with pytest.raises(ValueError, match="4 points cannot make 4 clusters"):
        KMeans(4, 2).fit(torch.randn(4, 2))
    with pytest.raises(ValueError, match="num_clusters is 0"):
        KMeans(0, 2)


@pytest.mark.parametrize("clusters", [3, 40, 60])
def test_means_by_products_are_the_same_means(clusters: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(clusters)
    points = torch.randn(70, 6, generator=generator, dtype=torch.float64)
    centroids = torch.randn(clusters, 6, generator=generator, dtype=torch.float64)
    for used in (clusters, clusters // 2, 1):  # others are empty
        cluster = torch.randint(0, used, (70,), generator=generator) * (clusters // used)
        for elements in (1 << 18, 100):
            monkeypatch.setattr(kmeans, "CHUNK_ELEMENTS", elements)
            found = kmeans.means_by_products(points, cluster, centroids)
            torch.testing.assert_close(found, kmeans.means(points, cluster, centroids), rtol=1e-12, atol=1e-12)

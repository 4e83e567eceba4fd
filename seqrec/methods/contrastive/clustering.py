"""Clusters of all training histories, which ICLRec, ICSRec and FENRec find before an epoch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from seqrec.data.batch import Histories
from seqrec.data.windows import Windows
from seqrec.functional.ranks import of_first_rank
from seqrec.methods.base import Recommender
from seqrec.nn.kmeans import KMeans

WINDOW_ELEMENTS = 1 << 25  # of embedded windows that a GPU encodes together without gradient: few large batches

Vector = Callable[[Histories], Tensor]
"""Vectors ``(B, D)`` of histories."""


def fit_clusters(model: Recommender, clusters: KMeans, windows: Windows, max_length: int, vector: Vector) -> None:
    """Fit ``clusters`` to :func:`vectors_of_all`; one rank does, and all have its result.

    Raises:
        ValueError: there are too few windows.
    """
    clusters.check(len(windows))
    vectors = vectors_of_all(model, windows, max_length, vector)
    if model.trainer.global_rank == 0:
        clusters.fit(vectors)
    if model.trainer.world_size > 1:
        for buffer in clusters.buffers():
            buffer.copy_(of_first_rank(buffer))


@torch.no_grad()
def vectors_of_all(model: Recommender, windows: Windows, max_length: int, vector: Vector) -> Tensor:
    """Vectors ``(N, D)`` of N training windows in evaluation mode, on every rank; each computes a share of them.

    Args:
        model: in a training.
        windows: taken in batches of similar length.
        max_length: of the histories.
        vector: of the model.
    """
    size = model.data.eval_batch_size
    if model.device.type != "cpu":
        size = max(size, WINDOW_ELEMENTS // (max_length * model.backbone.dim))
    order = torch.argsort(windows.lengths, stable=True)
    width = windows.lengths[order].clamp(max=max_length)  # of a batch: that of its last, known to the host
    windows, order = windows.to(model.device), order.to(model.device)
    vectors = torch.zeros(len(windows), model.backbone.dim, device=model.device)
    model.eval()
    rank, world = model.trainer.global_rank, model.trainer.world_size
    for first in range(0, len(windows), world * size):
        # Ranks take turns together, for divided items: one that has none left does the first batch of all again.
        own = first + rank * size
        begin = own if own < len(windows) else 0
        rows = order[begin : begin + size]
        items = windows.histories(rows, max_length, int(width[begin : begin + size][-1]))
        found = vector(Histories(items, windows.user[rows]))
        if own < len(windows):
            vectors[rows] = found.to(vectors.dtype)
    model.train()
    whole: Tensor = model.trainer.strategy.reduce(vectors, reduce_op="sum")
    return whole

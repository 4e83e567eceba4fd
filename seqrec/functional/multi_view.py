"""Contrast of more than two views of each row.

Shapes: K views, B rows, D width of a vector.
"""

from __future__ import annotations

import torch
from torch import Tensor


def pairwise_nt_xent(views: Tensor, temperature: float) -> Tensor:
    """NT-Xent of each pair of views (CBiT), of scalar products.

    For a row of one view the same row of the other is the positive; all other rows of both views are negatives.

    Args:
        views: ``(K, B, D)``; vectors of length one make the products cosines.
        temperature: tau.

    Returns:
        ``(K, K)`` symmetric, 0 for a view with itself, in float32 at least.
    """
    with torch.autocast(views.device.type, enabled=False):
        vectors = views.flatten(0, 1).to(torch.promote_types(views.dtype, torch.float32))
        scores = vectors @ vectors.T / temperature
        # Not -inf: a batch of one row has no other score in such a block, and its gradient would be NaN.
        itself = torch.eye(len(vectors), dtype=torch.bool, device=views.device)
        blocks = scores.masked_fill(itself, torch.finfo(scores.dtype).min / 2).view(*views.shape[:2], *views.shape[:2])
        total = blocks.logsumexp(3)  # (K, B, K): of each vector over the rows of each view
        own = total.diagonal(dim1=0, dim2=2).T[..., None]  # (K, B, 1)
        positive = blocks.diagonal(dim1=1, dim2=3).transpose(1, 2)  # (K, B, K)
        one_side = (torch.logaddexp(own, total) - positive).mean(1)  # (K, K)
        different = ~torch.eye(len(views), dtype=torch.bool, device=views.device)
        return torch.where(different, (one_side + one_side.T) / 2, 0.0)

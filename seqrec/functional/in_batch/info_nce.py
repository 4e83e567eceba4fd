"""InfoNCE losses: the two vectors of an example attract each other, those of different examples repel each other.

Each is a cross entropy whose classes are vectors of the batch, at temperature tau. They differ in what is compared
(dot products or cosines), in which vectors are negatives, and in the number of views.

Shapes: B examples, D width of a vector, K views. ``both`` is ``(2B, D)``, the first view over the second; the
positive of row i is row i + B or i - B. All losses are computed in float32 at least.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.functional.in_batch.log_sum import log_sum_exp
from seqrec.functional.precision import at_least_float
from seqrec.functional.unit_rows import unit_pair, unit_rows


def info_nce(first: Tensor, second: Tensor, labels: Tensor | None, temperature: float) -> Tensor:
    """InfoNCE of dot products in both directions, the mean of 2B rows (ICSRec, eq. 9-11); ``(...)``.

    Negatives are both views of all examples with another label (Qin et al., WSDM 2024).

    Args:
        first, second: ``(..., B, D)``.
        labels: ``(..., B)``; None gives each example a label of its own.
        temperature: tau.
    """
    with torch.autocast(first.device.type, enabled=False):
        both = at_least_float(torch.cat([first, second], -2))
        scores = both @ both.mT / temperature
        own = positive(scores)
        others = scores.masked_fill(~negatives(labels, first.shape[-2], both.device), -torch.inf)
        return (log_sum_exp(torch.cat([own, others], -1)) - own[..., 0]).mean(-1)


def negatives(labels: Tensor | None, rows: int, device: torch.device) -> Tensor:
    """Which of 2B rows are negatives of which, ``(..., 2B, 2B)`` bool: those of another label.

    Args:
        labels: ``(..., B)``; None gives each example a label of its own.
        rows: B.
        device: of the result.
    """
    if labels is None:
        labels = torch.arange(rows, device=device)
    labels = torch.cat([labels, labels], -1)
    return labels[..., None] != labels[..., None, :]


def positive(products: Tensor) -> Tensor:
    """The entry of each row's other view, ``(..., 2B, 1)`` of ``(..., 2B, 2B)``."""
    rows = products.shape[-1]
    partner = torch.arange(rows, device=products.device).roll(rows // 2)
    return products.gather(-1, partner[:, None].expand(*products.shape[:-1], 1))


def anchored_info_nce(anchor: Tensor, positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """InfoNCE of cosines from anchors to vectors that are given (EASNRec, eq. 10), the mean over rows.

    Args:
        anchor: ``(B, D)``.
        positive: ``(B, D)``, the other vector of each row.
        negatives: ``(B, D)``; row i is left out for anchor i.
        temperature: tau.
    """
    return anchored_info_nce_rows(anchor, positive, negatives, temperature).mean()


def anchored_info_nce_rows(anchor: Tensor, positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """The terms ``(B,)`` of :func:`anchored_info_nce`."""
    return anchored_rows_and_cosines(anchor, positive, negatives, temperature)[0]


def anchored_rows_and_cosines(
    anchor: Tensor, positive: Tensor, negatives: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """The terms ``(B,)`` of :func:`anchored_info_nce`, and the cosines ``(B,)`` of anchors and positives."""
    with torch.autocast(anchor.device.type, enabled=False):
        a, p = unit_pair(at_least_float(anchor), at_least_float(positive))
        same = negatives is anchor and anchor.is_cuda
        n = a if same else unit_rows(at_least_float(negatives))
        cosine = (a * p).sum(1)
        own = cosine / temperature
        scores = torch.diagonal_scatter(a @ n.T / temperature, own)
        return torch.logsumexp(scores, dim=1) - own, cosine


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """InfoNCE of cosines in both directions; negatives are both views ``(B, D)`` of other rows (CL4SRec, eq. 3)."""
    with torch.autocast(first.device.type, enabled=False):
        both = F.normalize(at_least_float(torch.cat([first, second])), dim=1)
        scores = (both @ both.T / temperature).fill_diagonal_(-torch.inf)
        partner = torch.arange(len(both), device=both.device).roll(len(first))
        return F.cross_entropy(scores, partner)


def pairwise_nt_xent(views: Tensor, temperature: float) -> Tensor:
    """:func:`nt_xent` of each pair of more than two views, of dot products (CBiT).

    Args:
        views: ``(K, B, D)``; vectors of length one make the products cosines.
        temperature: tau.

    Returns:
        ``(K, K)`` symmetric, 0 for a view with itself.
    """
    with torch.autocast(views.device.type, enabled=False):
        vectors = at_least_float(views.flatten(0, 1))
        scores = vectors @ vectors.T / temperature
        # Not -inf: a batch of one row has no other score in such a block, and its gradient would be NaN.
        itself = torch.eye(len(vectors), dtype=torch.bool, device=views.device)
        blocks = scores.masked_fill(itself, torch.finfo(scores.dtype).min / 2).view(*views.shape[:2], *views.shape[:2])
        total = blocks.logsumexp(3)  # (K, B, K): of each vector over the rows of each view
        own = total.diagonal(dim1=0, dim2=2).T[..., None]  # (K, B, 1)
        partners = blocks.diagonal(dim1=1, dim2=3).transpose(1, 2)  # (K, B, K)
        one_side = (torch.logaddexp(own, total) - partners).mean(1)  # (K, K)
        different = ~torch.eye(len(views), dtype=torch.bool, device=views.device)
        return torch.where(different, (one_side + one_side.T) / 2, 0.0)

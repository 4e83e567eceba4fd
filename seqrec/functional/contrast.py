"""Contrastive losses: draw two vectors of one row together and those of different rows apart.

Shapes: B rows, D their width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.functional.keyed_random import split
from seqrec.functional.pooling import newest, newest_mean
from seqrec.functional.ragged import Ragged, ragged


class Encode(Protocol):
    """Histories ``(B, L)`` to states ``(B, L, D)``: a backbone."""

    @property
    def mask_token(self) -> int:
        """The id that hides an item."""

    def __call__(self, items: Tensor) -> Tensor:
        """``(B, L)`` -> ``(B, L, D)``."""


def info_nce(anchor: Tensor, positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """InfoNCE of cosines (EASNRec eq. (10)), the mean over rows.

    Args:
        anchor: ``(B, D)``.
        positive: ``(B, D)``, the other vector of each row.
        negatives: ``(B, D)``; row i is left out for anchor i.
        temperature: tau.

    Returns:
        Scalar, in float32 at least.
    """
    return info_nce_rows(anchor, positive, negatives, temperature).mean()


def info_nce_rows(anchor: Tensor, positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """The terms ``(B,)`` of :func:`info_nce`."""
    with torch.autocast(anchor.device.type, enabled=False):
        a, p, n = (F.normalize(_at_least_float(x), dim=1) for x in (anchor, positive, negatives))
        own = (a * p).sum(1) / temperature
        scores = torch.diagonal_scatter(a @ n.T / temperature, own)
        return torch.logsumexp(scores, dim=1) - own


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Symmetric InfoNCE of two views ``(B, D)``, negatives are both views of other rows (CL4SRec, eq. 3)."""
    with torch.autocast(first.device.type, enabled=False):
        both = F.normalize(_at_least_float(torch.cat([first, second])), dim=1)
        scores = (both @ both.T / temperature).fill_diagonal_(-torch.inf)
        partner = torch.arange(len(both), device=both.device).roll(len(first))
        return F.cross_entropy(scores, partner)


def _at_least_float(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def contrast_states(
    states: Tensor,
    items: Tensor,
    keys: Tensor,
    encode: Encode,
    window: int,
    temperature: float,
    augment: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> Tensor:
    """Contrast of user vectors with copies made from augmented states (EASNRec eqs. (3)-(10)).

    Args:
        states: ``(B, L, D)`` of the histories.
        items: ``(B, L)`` the histories.
        keys: ``(B,)`` random keys.
        encode: unused; here because every contrast gets it.
        window: k of eq. (9).
        temperature: tau.
        augment: a function of :mod:`seqrec.functional.augment_states`.
    """
    valid = items != 0
    taken, present = newest(states, valid, window)
    count = present.sum(1, keepdim=True)
    user = taken.sum(1) / count
    return info_nce(user, augment(taken, valid, keys).sum(1) / count, user, temperature)


def contrast_items(
    states: Tensor,
    items: Tensor,
    keys: Tensor,
    encode: Encode,
    window: int,
    temperature: float,
    augment: Callable[[Ragged, Tensor, int], Ragged],
) -> Tensor:
    """Contrast of two encoded views of each history (EASNRec Fig. 6, ``dsa``).

    Args:
        states: unused, as the views are encoded anew.
        items: ``(B, L)``.
        keys: ``(B,)`` random keys.
        encode: the backbone.
        window: k of eq. (9).
        temperature: tau.
        augment: ``(histories, keys, mask token)`` -> histories, a function of :mod:`seqrec.functional.augment`.
    """
    changed = augment(ragged(items.repeat(2, 1)), split(keys, 2).T.flatten(), encode.mask_token)
    views = changed.padded(items.shape[1])
    first, second = newest_mean(encode(views), views != 0, window).chunk(2)
    return nt_xent(first, second, temperature)

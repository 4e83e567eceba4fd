"""EASNRec's two contrasts of user vectors: with augmented states, or between views that are encoded anew.

The rows of all ranks are contrasted. Shapes: B rows, L positions, D width of a state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from seqrec.backbones.base import Backbone
from seqrec.functional.info_nce import anchored_info_nce, nt_xent
from seqrec.functional.keyed_random import split
from seqrec.functional.pooling import newest, newest_mean
from seqrec.functional.ragged import Ragged, ragged
from seqrec.functional.ranks import of_all_ranks
from seqrec.methods.easnrec.positives import Augment, Positive, same_pass


class Contrasted(NamedTuple):
    """A contrast of a batch.

    Attributes:
        loss: scalar, L_cl (10).
        cosine: scalar without gradient, the mean cosine of the rows with their positives: near 1 where an augmentation
            changes nothing that a user vector shows, so that the contrast is no task.
    """

    loss: Tensor
    cosine: Tensor


Contrast = Callable[[Tensor, Tensor, Tensor, Backbone], Contrasted]
"""Contrast of ``(states (B, L, D), items (B, L), rng_keys (B,), backbone)``."""


def contrast_states(
    states: Tensor,
    items: Tensor,
    rng_keys: Tensor,
    backbone: Backbone,
    window: int,
    temperature: float,
    augment: Augment,
    positive: Positive = same_pass,
) -> Contrasted:
    """Contrast of user vectors with those of augmented sequences (EASNRec eqs. (3)-(10)).

    Args:
        states: ``(B, L, D)`` of the histories.
        items: ``(B, L)`` the histories.
        rng_keys: ``(B,)``, see :mod:`seqrec.functional.keyed_random`.
        backbone: made the states.
        window: k of eq. (9). A cosine is the same whether a mean over fewer states divides by k or by their number.
        temperature: tau.
        augment: a function of :mod:`seqrec.functional.augment_states`.
        positive: what is augmented, a function of :mod:`seqrec.methods.easnrec.positives`.
    """
    taken, present = newest(states, items != 0, window)
    user = taken.sum(1) / present.sum(1, keepdim=True)
    augmented = positive(taken, items, rng_keys, backbone, augment)
    cosine = F.cosine_similarity(user.detach(), augmented.detach(), dim=1).mean()
    user, augmented = of_all_ranks(user), of_all_ranks(augmented)
    return Contrasted(anchored_info_nce(user, augmented, user, temperature), cosine)


def contrast_items(
    states: Tensor,
    items: Tensor,
    rng_keys: Tensor,
    backbone: Backbone,
    window: int,
    temperature: float,
    augment: Callable[[Ragged, Tensor, int], Ragged],
) -> Contrasted:
    """Contrast of two encoded views of each history (EASNRec Fig. 6, ``dsa``).

    Args:
        states: unused, as the views are encoded anew.
        items: ``(B, L)``.
        rng_keys: ``(B,)``, see :mod:`seqrec.functional.keyed_random`.
        backbone: encodes the views.
        window: k of eq. (9).
        temperature: tau.
        augment: ``(histories, rng_keys, mask token)`` -> histories, a function of :mod:`seqrec.functional.augment`.
    """
    changed = augment(ragged(items.repeat(2, 1)), split(rng_keys, 2).T.flatten(), backbone.mask_token)
    views = changed.padded(items.shape[1])
    first, second = newest_mean(backbone(views), views != 0, window).chunk(2)
    cosine = F.cosine_similarity(first.detach(), second.detach(), dim=1).mean()
    return Contrasted(nt_xent(of_all_ranks(first), of_all_ranks(second), temperature), cosine)

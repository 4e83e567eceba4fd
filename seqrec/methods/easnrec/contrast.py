"""EASNRec's two contrasts of user vectors: with augmented states, or between views that are encoded anew.

The rows of all ranks are contrasted. Shapes: B rows, L positions, D width of a state.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.backbones.base import Backbone
from seqrec.functional.in_batch.info_nce import anchored_rows_and_cosines, nt_xent
from seqrec.functional.keyed_random import split
from seqrec.functional.pooling import newest, newest_mean
from seqrec.functional.ragged import Ragged, ragged
from seqrec.functional.ranks import of_all_ranks
from seqrec.methods.easnrec.positives import Augment, Positive, same_pass, second_pass
from seqrec.nn.packing import static_shapes


class Contrasted(NamedTuple):
    """A contrast of a batch.

    Attributes:
        loss: scalar, L_cl (10).
        cosine: scalar without gradient, the mean cosine of the rows with their positives: near 1 where an augmentation
            changes nothing that a user vector shows, so that the contrast is no task.
    """

    loss: Tensor
    cosine: Tensor


Contrast = Callable[..., Contrasted]
"""Contrast of ``(states (B, L, D), items (B, L), rng_keys (B,), backbone)``."""


def passes(backbone: Backbone, items: Tensor, contrast: Contrast) -> tuple[Tensor, Contrast]:
    """States ``(B, L, D)`` of histories ``(B, L)``, and their contrast.

    On a GPU a second pass that the contrast asks for is made in the same call, and the contrast is given it.
    """
    positive = getattr(contrast, "keywords", {}).get("positive")
    if not static_shapes(items) or getattr(positive, "func", positive) is not second_pass:
        return backbone(items), contrast
    states, again = backbone(items.repeat(2, 1)).chunk(2)
    return states, partial(contrast, again=again)


def contrast_states(
    states: Tensor,
    items: Tensor,
    rng_keys: Tensor,
    backbone: Backbone,
    window: int,
    temperature: float,
    augment: Augment,
    positive: Positive = same_pass,
    again: Tensor | None = None,
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
        again: ``(B, L, D)`` of the second pass, where ``positive`` asks for one and it is made already.
    """
    if again is None:
        taken, present = newest(states, items != 0, window)
    else:
        both, present_twice = newest(torch.cat([states, again]), (items != 0).repeat(2, 1), window)
        (taken, taken_again), present = both.chunk(2), present_twice[: len(items)]
        positive = partial(second_pass, again=taken_again)
    user = taken.sum(1) / present.sum(1, keepdim=True)
    augmented = positive(taken, items, rng_keys, backbone, augment)
    user, augmented = of_all_ranks(user), of_all_ranks(augmented)
    rows, cosines = anchored_rows_and_cosines(user, augmented, user, temperature)
    return Contrasted(rows.mean(), cosines.detach().mean())


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

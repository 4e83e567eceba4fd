"""EASNRec's two contrasts of user vectors: with augmented states, or between views that are encoded anew.

The rows of all ranks are contrasted. Shapes: B rows, L positions, D width of a state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from seqrec.functional.info_nce import anchored_info_nce, nt_xent
from seqrec.functional.keyed_random import split
from seqrec.functional.pooling import newest, newest_mean
from seqrec.functional.ragged import Ragged, ragged
from seqrec.functional.ranks import of_all_ranks


class Encode(Protocol):
    """Histories ``(B, L)`` to states ``(B, L, D)``: a backbone."""

    @property
    def mask_token(self) -> int:
        """The id that hides an item."""

    def __call__(self, items: Tensor) -> Tensor:
        """``(B, L)`` -> ``(B, L, D)``."""


def contrast_states(
    states: Tensor,
    items: Tensor,
    rng_keys: Tensor,
    encode: Encode,
    window: int,
    temperature: float,
    augment: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> Tensor:
    """Contrast of user vectors with copies made from augmented states (EASNRec eqs. (3)-(10)).

    Args:
        states: ``(B, L, D)`` of the histories.
        items: ``(B, L)`` the histories.
        rng_keys: ``(B,)``, see :mod:`seqrec.functional.keyed_random`.
        encode: unused; here because every contrast gets it.
        window: k of eq. (9).
        temperature: tau.
        augment: a function of :mod:`seqrec.functional.augment_states`.
    """
    valid = items != 0
    taken, present = newest(states, valid, window)
    count = present.sum(1, keepdim=True)
    user = taken.sum(1) / count
    augmented = of_all_ranks(augment(taken, valid, rng_keys).sum(1) / count)
    user = of_all_ranks(user)
    return anchored_info_nce(user, augmented, user, temperature)


def contrast_items(
    states: Tensor,
    items: Tensor,
    rng_keys: Tensor,
    encode: Encode,
    window: int,
    temperature: float,
    augment: Callable[[Ragged, Tensor, int], Ragged],
) -> Tensor:
    """Contrast of two encoded views of each history (EASNRec Fig. 6, ``dsa``).

    Args:
        states: unused, as the views are encoded anew.
        items: ``(B, L)``.
        rng_keys: ``(B,)``, see :mod:`seqrec.functional.keyed_random`.
        encode: the backbone.
        window: k of eq. (9).
        temperature: tau.
        augment: ``(histories, rng_keys, mask token)`` -> histories, a function of :mod:`seqrec.functional.augment`.
    """
    changed = augment(ragged(items.repeat(2, 1)), split(rng_keys, 2).T.flatten(), encode.mask_token)
    views = changed.padded(items.shape[1])
    first, second = newest_mean(encode(views), views != 0, window).chunk(2)
    return nt_xent(of_all_ranks(first), of_all_ranks(second), temperature)

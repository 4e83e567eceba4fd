"""EASNRec's two contrasts of user vectors: with augmented states, or between views that are encoded anew.

The rows of all ranks are contrasted. Shapes: B rows, L positions, D width of a state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
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
from seqrec.methods.easnrec.positives import Positive, SamePass
from seqrec.nn.packing import static_shapes

AugmentStates = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Changes ``(states (B, K, D), valid (B, L), rng_keys (B,))``, see :mod:`seqrec.functional.augment_states`."""

AugmentItems = Callable[[Ragged, Tensor, int], Ragged]
"""``(histories, rng_keys, mask token)`` -> histories, a function of :mod:`seqrec.functional.augment`."""


class Contrasted(NamedTuple):
    """A contrast of a batch.

    Attributes:
        loss: scalar, L_cl (10).
        cosine: scalar without gradient, the mean cosine of the rows with their positives: near 1 where an augmentation
            changes nothing that a user vector shows, so that the contrast is no task.
    """

    loss: Tensor
    cosine: Tensor


class Contrast(ABC):
    """A contrast of user vectors."""

    @property
    def needs_second_pass(self) -> bool:
        """Whether it asks for the states of two passes over the same histories."""
        return False

    @abstractmethod
    def __call__(
        self, states: Tensor, items: Tensor, rng_keys: Tensor, backbone: Backbone, again: Tensor | None = None
    ) -> Contrasted:
        """Contrast a batch.

        Args:
            states: ``(B, L, D)`` of the histories.
            items: ``(B, L)`` the histories.
            rng_keys: ``(B,)``, see :mod:`seqrec.functional.keyed_random`.
            backbone: made the states.
            again: ``(B, L, D)`` of a second pass, where one is needed and has been made; None: it is made where needed.
        """


def passes(backbone: Backbone, items: Tensor, contrast: Contrast) -> tuple[Tensor, Tensor | None]:
    """States ``(B, L, D)`` of histories ``(B, L)``; on a GPU, in the same call, those again that a contrast needs."""
    if not (contrast.needs_second_pass and static_shapes(items)):
        return backbone(items), None
    states, again = backbone(items.repeat(2, 1)).chunk(2)
    return states, again


class StateContrast(Contrast):
    """Contrast of user vectors with those of augmented sequences (EASNRec eqs. (3)-(10)).

    Args:
        window: k of eq. (9). A cosine is the same whether a mean over fewer states divides by k or by their number.
        temperature: tau.
        augment: a function of :mod:`seqrec.functional.augment_states`.
        positive: what is augmented; None: the states of the same pass.
    """

    def __init__(
        self, window: int, temperature: float, augment: AugmentStates, positive: Positive | None = None
    ) -> None:
        self.window, self.temperature, self.augment = window, temperature, augment
        self.positive = SamePass() if positive is None else positive

    @property
    def needs_second_pass(self) -> bool:
        """Whether what is augmented does."""
        return self.positive.needs_second_pass

    def __call__(
        self, states: Tensor, items: Tensor, rng_keys: Tensor, backbone: Backbone, again: Tensor | None = None
    ) -> Contrasted:
        """See :class:`Contrast`."""
        valid = items != 0

        def change(taken: Tensor) -> Tensor:
            return self.augment(taken, valid, rng_keys)

        if again is None:
            taken, present = newest(states, valid, self.window)
            changed = self.positive(taken, items, valid, backbone, change)
        else:
            both, present = newest(torch.cat([states, again], 2), valid, self.window)
            taken, taken_again = both.chunk(2, 2)
            changed = change(taken_again)
        user, augmented = torch.stack([taken, changed]).sum(2) / present.sum(1, keepdim=True)
        user, augmented = of_all_ranks(user), of_all_ranks(augmented)
        rows, cosines = anchored_rows_and_cosines(user, augmented, user, self.temperature)
        return Contrasted(rows.mean(), cosines.detach().mean())


class ItemContrast(Contrast):
    """Contrast of two views of each history that are encoded anew (EASNRec Fig. 6, ``dsa``); the states are unused.

    Args:
        window: k of eq. (9).
        temperature: tau.
        augment: makes a view.
    """

    def __init__(self, window: int, temperature: float, augment: AugmentItems) -> None:
        self.window, self.temperature, self.augment = window, temperature, augment

    def __call__(
        self, states: Tensor, items: Tensor, rng_keys: Tensor, backbone: Backbone, again: Tensor | None = None
    ) -> Contrasted:
        """See :class:`Contrast`."""
        changed = self.augment(ragged(items.repeat(2, 1)), split(rng_keys, 2).T.flatten(), backbone.mask_token)
        views = changed.padded(items.shape[1])
        first, second = newest_mean(backbone(views), views != 0, self.window).chunk(2)
        cosine = F.cosine_similarity(first.detach(), second.detach(), dim=1).mean()
        return Contrasted(nt_xent(of_all_ranks(first), of_all_ranks(second), self.temperature), cosine)

"""CL4SRec: next items, and a contrast of two randomly changed views of each history.

Source: Xie et al., Contrastive Learning for Sequential Recommendation, ICDE 2022, in the RecBole form that
came with DuoRec: two different operators a history, raw dot products, the mean over both views' rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from seqrec.data.batch import Batch
from seqrec.functional.keyed_random import Stream
from seqrec.functional.ragged import Ragged, ragged
from seqrec.methods.contrastive.pair_contrast import PairContrastive

Views = Callable[[Ragged, Tensor, int], tuple[Ragged, Ragged]]
"""Two views of ``(histories, rng_keys (B,), mask token)``; the items themselves stay as they are."""


class CL4SRec(PairContrastive):
    """Contrast of two augmented histories.

    Args:
        views: the augmentation, a function of :mod:`seqrec.functional.augment`.
        **base: other arguments of :class:`PairContrastive`.
    """

    def __init__(self, views: Views, **base: Any) -> None:
        super().__init__(**base)
        self.augmented = views

    def views(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Both augmented histories, ``(B, L)`` each."""
        rng_keys, width = self.rng_keys(batch.row, Stream.VIEW), batch.items.shape[1]
        first, second = self.augmented(ragged(batch.items), rng_keys, self.backbone.mask_token)
        return first.padded(width), second.padded(width)

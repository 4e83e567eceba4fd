"""DuoRec: next items, and a contrast of a history with another one that has the same next item.

Source: Qiu et al., Contrastive Learning for Representation Degeneration Problem in Sequential Recommendation,
WSDM 2022, as released (mode us_x): raw dot products, the mean over both views' rows.
"""

from __future__ import annotations

from torch import Tensor

from seqrec.data.batch import Batch
from seqrec.data.indices.same_target import SameTarget
from seqrec.data.windows import Windows
from seqrec.functional.keyed_random import Stream, uniform
from seqrec.methods.contrastive.looked_up import LookedUp
from seqrec.methods.contrastive.pair_contrast import PairContrastive


class DuoRec(PairContrastive):
    """Contrast of a history under a second dropout mask with another training history of the same target.

    The other history is drawn anew each epoch; a history without such a partner is its own, under a third mask.

    Attributes:
        same_target: the training windows by target; made when training starts.
    """

    same_target: SameTarget
    looked_up: LookedUp

    def prepare(self, windows: Windows, max_length: int) -> None:
        """Group the training windows by target as well."""
        super().prepare(windows, max_length)
        self.same_target = SameTarget(windows, max_length).to(self.device)
        self.looked_up = LookedUp(windows, max_length, self.device)

    def views(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The histories ``(B, L)`` and their partners ``(B, L')``."""
        return batch.items, self.partners(batch.row)

    def partners(self, row: Tensor) -> Tensor:
        """A history ``(B, L')`` with the same target for each of windows ``row`` ``(B,)``, drawn by its key."""
        drawn = uniform(self.rng_keys(row, Stream.PARTNER), 1)[:, 0]
        return self.looked_up(self.same_target.random_excluding_self(row, drawn))

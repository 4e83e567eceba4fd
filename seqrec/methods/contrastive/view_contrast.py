"""ViewContrastive: next items against unseen ones, and two changed copies of each history (ICLRec, CoSeRec)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from seqrec.backbones.padded_transformer import PaddedTransformer
from seqrec.data.batch import Batch
from seqrec.data.indices.unseen import Unseen
from seqrec.data.windows import Windows
from seqrec.functional.in_batch.info_nce import info_nce
from seqrec.functional.keyed_random import Stream, integers
from seqrec.functional.losses import against, bce
from seqrec.functional.ragged import Ragged, one_after_the_other
from seqrec.functional.ranks import of_all_ranks
from seqrec.methods.base import BuildOptimizer, Recommender

BLOCK = 1 << 14  # histories whose views are made together


class ViewContrastive(Recommender, ABC):
    """What ICLRec and CoSeRec share: their losses use the states of padding too.

    Args:
        backbone: gives states to padding.
        optimizer: see :class:`Recommender`.
        temperature: t of the contrasts.
        **base: other arguments of :class:`Recommender`.

    Attributes:
        windows: of the present epoch.
        unseen: what the negatives are drawn from.
        made: ``(2, N, W)`` int32, both views of the epoch's N windows.
    """

    needs = PaddedTransformer
    backbone: PaddedTransformer
    windows: Windows
    unseen: Unseen
    made: Tensor

    def __init__(self, backbone: PaddedTransformer, optimizer: BuildOptimizer, temperature: float, **base: Any) -> None:
        super().__init__(backbone, optimizer, **base)
        self.temperature = temperature

    def on_fit_start(self) -> None:
        """Index the items that each user has not consumed in training."""
        self.unseen = Unseen.of(self.data.sequences).to(self.device)

    def on_train_epoch_start(self) -> None:
        """Take the epoch's windows."""
        self.windows = self.data.training_windows(self.current_epoch)

    def make_views(self) -> None:
        """Make both views of all windows of this epoch; one call costs less than one for each batch.

        Views are made of the whole history, of which the window may be the newest part only, and cut afterwards.
        """
        blocks = torch.arange(len(self.windows)).split(BLOCK)
        self.made = torch.cat([self._views_of(rows) for rows in blocks], 1)

    def _views_of(self, rows: Tensor) -> Tensor:
        """Views of windows ``rows`` ``(b,)``, ``(2, b, W)``."""
        row, items = self.windows.seen(rows)
        parts = one_after_the_other(torch.cat([row, row + len(rows)]), items.repeat(2), 2 * len(rows))
        twice = Ragged(*(part.to(self.device) for part in parts))
        rng_keys = torch.cat(self.rng_keys_of_streams(rows.to(self.device), Stream.VIEW, Stream.SECOND_VIEW))
        return self.changed(twice, rng_keys).windows(self.backbone.max_length).int().unflatten(0, (2, -1))

    @abstractmethod
    def changed(self, histories: Ragged, rng_keys: Tensor) -> Ragged:
        """A view of each of B histories with rng_keys ``(B,)``; hidden items are ``HIDDEN``."""

    def views(self, batch: Batch) -> Tensor:
        """Both views of each history, first views over second ones, ``(2B, W)`` padded on the left."""
        return self.made[:, batch.row].flatten(0, 1).long()

    def recommendation(self, batch: Batch, states: Tensor) -> Tensor:
        """L_rec: binary cross entropy of next items and one negative each, for supervised states ``(M, D)``.

        The released codes exclude validation and test items from the negatives; here training does not know them.
        """
        supervised = self.supervised(batch)
        count = self.unseen.count[batch.user][:, None, None]
        negatives = self.unseen.items(batch.user, integers(self.position_rng_keys(batch), 1, count)[..., 0])
        table = self.backbone.item_embedding.weight
        target, others = supervised.of(batch.next_items), supervised.of(negatives)[:, None]
        return against(states, target, others, table, bce, weight=supervised.weight)

    def instance_loss(self, states: Tensor) -> Tensor:
        """Contrast of both views' states ``(2B, W, D)``, all positions side by side; raw dot products."""
        first, second = (of_all_ranks(view) for view in states.flatten(1).chunk(2))
        return info_nce(first, second, None, self.temperature)

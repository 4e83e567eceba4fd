"""BERT4Rec: fill in hidden items of a history; to recommend, fill in one that is put at its end.

Source: Sun et al., BERT4Rec: Sequential Recommendation with Bidirectional Encoder Representations from
Transformer, CIKM 2019, in RecBole's form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from seqrec.backbones.base import Backbone
from seqrec.data.batch import Batch, Histories
from seqrec.functional.cloze import append
from seqrec.functional.keyed_random import Stream, uniform
from seqrec.functional.losses import cross_entropy
from seqrec.methods.base import BuildOptimizer, Recommender
from seqrec.nn.chosen import Chosen, choose
from seqrec.nn.trunk import initialise

Masks = Callable[[Tensor, Tensor, float, int], tuple[Tensor, Tensor]]
"""Hidden and supervised positions ``(B, L)`` of ``(items (B, L), rng_keys (B,), ratio, most)``, see
:mod:`seqrec.functional.cloze`."""


class BERT4Rec(Recommender):
    """Cross entropy of hidden items: ``LN(gelu(W h + b)) E^T + c`` over the item table E with its padding row.

    Some batches hide only the newest item of each history, the same task as in evaluation; which ones is drawn.

    Args:
        backbone: bidirectional.
        optimizer: see :class:`Recommender`.
        masks: chooses what is hidden in the other batches.
        mask_ratio: probability that an item is hidden.
        last_ratio: probability that a batch hides the newest items only.
        max_length: longest history that the backbone takes, L; ``int(mask_ratio * L)`` hidden items are supervised.
        with_target: train on the window and its target; otherwise on the window alone.
        always_drop: evaluation drops the oldest item of every history, as RecBole does, not only of a full one.
        **base: other arguments of :class:`Recommender`.
    """

    needs_causal = False
    appends_mask = True
    compiled_parts = ("loss_of_hidden", "newest_loss")

    def __init__(
        self,
        backbone: Backbone,
        optimizer: BuildOptimizer,
        masks: Masks,
        mask_ratio: float,
        last_ratio: float,
        max_length: int,
        with_target: bool,
        always_drop: bool,
        **base: Any,
    ) -> None:
        super().__init__(backbone, optimizer, **base)
        for name, ratio in {"mask_ratio": mask_ratio, "last_ratio": last_ratio}.items():
            if not 0.0 <= ratio <= 1.0:
                raise ValueError(f"{name} is {ratio}; it must be between 0 and 1")
        self.most = int(mask_ratio * max_length)
        if self.most < 1:
            raise ValueError(
                f"mask_ratio is {mask_ratio} and max_length {max_length}, so not one item would be supervised; "
                "raise one of them"
            )
        self.masks, self.mask_ratio, self.last_ratio = masks, mask_ratio, last_ratio
        self.max_length, self.always_drop = max_length, always_drop
        self.with_target = with_target
        self.head = nn.Sequential(nn.Linear(backbone.dim, backbone.dim), nn.GELU(), nn.LayerNorm(backbone.dim, 1e-12))
        self.head.apply(initialise)
        self.bias = nn.Parameter(torch.zeros(backbone.num_items + 1))

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The loss of one batch; its kind of masks is drawn for the batch, the same on all ranks."""
        key_of_batch = self.rng_keys(torch.tensor(batch_index), Stream.MASK_KIND)
        newest_only = float(uniform(key_of_batch, 1)) < self.last_ratio
        items, rng_keys = self.sequences(batch), self.rng_keys(batch.row, Stream.MASK)
        most = batch.counts.items + len(batch.row)
        loss = self.newest_loss(items) if newest_only else self.cloze_loss(items, rng_keys, most)
        self.log_terms(batch, {"loss": loss})
        return loss

    def cloze_loss(self, items: Tensor, rng_keys: Tensor, most: int | None = None) -> Tensor:
        """Mean over the supervised positions of all histories ``(B, L)``.

        Args:
            items: the histories.
            rng_keys: ``(B,)``, choose the positions.
            most: items of all histories together, at most; None: B * L.
        """
        hidden, mask = self.masks(items, rng_keys, self.mask_ratio, self.most)
        supervised = choose(mask, min(items.numel() if most is None else most, len(items) * self.most))
        return self.loss_of_hidden(items, hidden, supervised)

    def loss_of_hidden(self, items: Tensor, hidden: Tensor, supervised: Chosen) -> Tensor:
        """See :meth:`cloze_loss`; ``hidden`` ``(B, L)`` is what the network does not see."""
        states = self.backbone(items.masked_fill(hidden, self.backbone.mask_token))
        return self.item_loss(supervised.of(states), supervised.of(items), supervised.weight)

    def newest_loss(self, items: Tensor) -> Tensor:
        """Mean over the newest items of all histories ``(B, L)`` that have an older one."""
        length = (items != 0).sum(1)
        place = (length - 1)[:, None]
        states = self.backbone.newest(items.scatter(1, place, self.backbone.mask_token))
        supervised = choose(length[:, None] > 1)
        return self.item_loss(supervised.of(states[:, None]), supervised.of(items.gather(1, place)), supervised.weight)

    def item_loss(self, states: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Mean cross entropy of states ``(M, D)``, weighed if need be; the bias is one more column of the table."""
        table = self.backbone.item_embedding.weight[:-1]
        transformed = self.head(states)
        with_one = torch.cat([transformed, transformed.new_ones(len(states), 1)], dim=1)
        return cross_entropy(with_one, torch.cat([table, self.bias[:, None]], dim=1), target, weight)

    def query(self, histories: Histories) -> Tensor:
        """User vectors ``(B, D)``: what the mask at the end of each history becomes."""
        mask = histories.items.new_full((len(histories.items),), self.backbone.mask_token)
        return self.asking(self.backbone.newest(self.appended(histories.items, mask, self.always_drop)))

    def asking(self, newest: Tensor) -> Tensor:
        """See :meth:`Recommender.asking`."""
        vectors: Tensor = self.head(newest)
        return vectors

    def output_table(self) -> tuple[Tensor, Tensor | None]:
        """The item vectors and the bias of each item."""
        return self.backbone.item_matrix, self.bias[1:]

    def appended(self, items: Tensor, newest: Tensor, always_drop: bool) -> Tensor:
        """Histories ``(B, L)`` with one more item each; full ones, or all, lose their oldest."""
        full = (items != 0).sum(1) == self.max_length
        return append(items, newest, torch.ones_like(full) if always_drop else full)[:, : self.max_length]

    def sequences(self, batch: Batch) -> Tensor:
        """Training sequences ``(B, L)``: histories, as in RecBole, or histories and their targets."""
        return self.appended(batch.items, batch.target, False) if self.with_target else batch.items

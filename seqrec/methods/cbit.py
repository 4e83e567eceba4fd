"""CBiT: fill in hidden items, and draw the differently hidden copies of one history together.

Source: Du et al., Contrastive Learning with Bidirectional Transformers for Sequential Recommendation, CIKM 2022.
Where the paper and its released code differ, this is the code.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.backbones.pre_norm import PreNormTransformer
from seqrec.data.batch import Batch, Histories
from seqrec.functional.cloze import append, bert_view
from seqrec.functional.in_batch.info_nce import pairwise_nt_xent
from seqrec.functional.keyed_random import Stream, split
from seqrec.functional.losses import cross_entropy
from seqrec.functional.ranks import of_all_ranks
from seqrec.methods.base import BuildOptimizer, Recommender
from seqrec.nn.chosen import choose


class CBiT(Recommender):
    """``sum of K cloze losses + theta * (contrast of all ordered pairs of the K views)``.

    theta is a moving average of ``cloze / (cloze + lambda * contrast)``. A training sequence is a window
    and its target; the contrast compares the states of all positions, padding included.

    Args:
        backbone: encodes histories and whole windows.
        optimizer: see :class:`Recommender`.
        max_length: longest history that the backbone takes, W.
        mask_ratio: rho, ratio of supervised items; 80 % of them are hidden, 10 % exchanged.
        num_views: K.
        temperature: tau, of cosines.
        theta_rate: alpha, how far theta moves in a step.
        contrast_scale: lambda, of the contrast in theta's goal.
        **base: other arguments of :class:`Recommender`.

    Attributes:
        theta: weight of the contrast, 0 at the start; part of the checkpoint.
    """

    needs = PreNormTransformer
    appends_mask = True
    backbone: PreNormTransformer
    theta: Tensor

    def __init__(
        self,
        backbone: PreNormTransformer,
        optimizer: BuildOptimizer,
        max_length: int,
        mask_ratio: float,
        num_views: int,
        temperature: float,
        theta_rate: float,
        contrast_scale: float,
        **base: Any,
    ) -> None:
        super().__init__(backbone, optimizer, **base)
        if not 0.0 < mask_ratio <= 1.0:
            raise ValueError(f"mask_ratio is {mask_ratio}; it must be above 0 and at most 1")
        if num_views < 2:
            raise ValueError(f"num_views is {num_views}; a contrast needs at least 2")
        self.max_length, self.mask_ratio, self.num_views = max_length, mask_ratio, num_views
        self.temperature, self.theta_rate, self.contrast_scale = temperature, theta_rate, contrast_scale
        self.output = nn.Linear(backbone.dim, backbone.num_items + 1)
        self.register_buffer("theta", torch.zeros(()))

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The total of one batch; all views go through the network together."""
        items = self.appended(batch.items, batch.target)
        views, supervised = self.views(items, self.rng_keys(batch.row, Stream.MASK))
        states = self.backbone.windows(views.flatten(0, 1)).unflatten(0, views.shape[:2])
        cloze = self.cloze_loss(states, items, supervised, batch.counts.items + len(items))
        contrast = self.contrasts(states).sum()
        loss = cloze + self.updated_theta(cloze, contrast) * contrast
        self.log_terms(batch, {"loss": loss, "cloze": cloze, "contrast": contrast, "theta": self.theta})
        return loss

    def views(self, items: Tensor, rng_keys: Tensor) -> tuple[Tensor, Tensor]:
        """K copies ``(K, B, L)`` of histories ``(B, L)``, and their supervised positions ``(K, B, L)``."""
        drawn = [
            bert_view(items, view_keys, self.mask_ratio, self.backbone.mask_token)
            for view_keys in split(rng_keys, self.num_views).unbind(1)
        ]
        views, supervised = zip(*drawn, strict=True)
        return torch.stack(views), torch.stack(supervised)

    def cloze_loss(self, states: Tensor, items: Tensor, supervised: Tensor, most: int | None = None) -> Tensor:
        """Sum over views of the mean cross entropy of a view's supervised positions; only their logits are computed.

        Args:
            states: ``(K, B, W, D)`` of left-padded windows.
            items: ``(B, L)`` right-padded.
            supervised: ``(K, B, L)`` bool.
            most: items of all histories together, at most; None: B * L.
        """
        views, (rows, length), width = len(states), items.shape, states.shape[2]
        chosen = choose(supervised.flatten(0, 1), views * (rows * length if most is None else most))
        history, column = chosen.places // length, chosen.places % length  # the former in 0..K * B - 1
        row = history % rows
        place = column + width - (items != 0).sum(1)[row]
        of_view = (1.0 / supervised.sum((1, 2)).clamp(min=1)).to(states.dtype)
        weight = chosen.weighed(of_view.repeat_interleave(rows)[:, None].expand(-1, length))
        hidden = states.flatten(0, 2).index_select(0, history * width + place)
        with_one = torch.cat([hidden, hidden.new_ones(len(hidden), 1)], dim=1)
        classes = torch.cat([self.output.weight, self.output.bias[:, None]], dim=1)
        return cross_entropy(with_one, classes, items[row, column], weight)

    def contrasts(self, states: Tensor) -> Tensor:
        """Contrast of each pair of views, ``(K, K)``, of states ``(K, B, W, D)``."""
        vectors = of_all_ranks(states.flatten(2).transpose(0, 1)).transpose(0, 1)
        return pairwise_nt_xent(F.normalize(vectors, dim=2), self.temperature)

    @torch.no_grad()
    def updated_theta(self, cloze: Tensor, contrast: Tensor) -> Tensor:
        """theta after this step's losses, without a gradient."""
        goal = cloze / (cloze + self.contrast_scale * contrast)
        self.theta.lerp_(goal.to(self.theta.dtype), self.theta_rate)
        return self.theta.clone()

    def appended(self, items: Tensor, newest: Tensor) -> Tensor:
        """Histories ``(B, L)`` with one more item each; full ones lose their oldest."""
        full = (items != 0).sum(1) == self.max_length
        return append(items, newest, full)[:, : self.max_length]

    def query(self, histories: Histories) -> Tensor:
        """User vectors ``(B, D)``: what the mask at the end of each history becomes."""
        mask = histories.items.new_full((len(histories.items),), self.backbone.mask_token)
        return self.backbone.newest(self.appended(histories.items, mask))

    def output_table(self) -> tuple[Tensor, Tensor | None]:
        """The classes of all items; the released code, by an error, never recommends the last one."""
        return self.output.weight[1:], self.output.bias[1:]

"""MVS: next items, smooth in labels, contexts and model, with the help of a complementary model.

Source: Zhou et al., Enhancing Multi-View Smoothness for Sequential Recommendation Models, ACM TOIS 41 (4), 2023, as
released by the authors with SASRec as the base.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqrec.backbones.base import Backbone
from seqrec.backbones.transformer import Transformer
from seqrec.data.batch import Batch
from seqrec.functional.left_padding import left_padded
from seqrec.methods.base import BuildOptimizer, Recommender
from seqrec.methods.mvs.smoothness import (
    Smoothness,
    adversarial_noise,
    clamped_noise,
    mean_symmetric_kl,
    smoothness,
)
from seqrec.nn.attention import DotProductAttention
from seqrec.nn.chosen import Chosen, choose
from seqrec.nn.window_trunk import window_states


class Complement(NamedTuple):
    """What the complementary model says of a batch of histories ``(B, L)``.

    Attributes:
        states: ``(B, L, D)``, right-padded.
        soft: the N positions whose item is replaced by what was expected before it.
        expected: ``(N, V)`` distributions over the item table at those positions.
    """

    states: Tensor
    soft: Chosen
    expected: Tensor


class MVS(Recommender):
    """``L_ce + a_1 L_label + 0.1 a_2 L_context + a_3 / 3 L_model`` over all positions and the whole item table.

    A view of a history has, for each item, the embedding that the complementary model expects there, plus noise
    over the items that makes the view differ most from the history. Only the first column of the left-padded row
    keeps its own embedding: the oldest item of a shorter history is replaced by what padding expects, as released.

    Args:
        backbone: a causal backbone.
        optimizer: see :class:`Recommender`.
        complementary: a trained SASRec of the same width with positions from the newest; it stays as it is.
        label_weight, context_weight, model_weight: a_1, a_2, a_3.
        noise_scale: v, of the noise over the items.
        adversarial_step: length of the noise's step.
        **base: other arguments of :class:`Recommender`.
    """

    needs_causal = True

    def __init__(
        self,
        backbone: Backbone,
        optimizer: BuildOptimizer,
        complementary: Transformer,
        label_weight: float,
        context_weight: float,
        model_weight: float,
        noise_scale: float,
        adversarial_step: float,
        **base: Any,
    ) -> None:
        super().__init__(backbone, optimizer, **base)
        trunk = complementary.trunk
        plain = all(isinstance(layer.attention, DotProductAttention) for layer in trunk.layers)
        if not (trunk.causal and trunk.from_newest and plain):
            raise ValueError(
                "the complementary model of MVS must be causal, with dot-product attention and positions=from_newest; "
                "choose model/backbone@model.complementary=transformer_from_newest"
            )
        if complementary.dim != backbone.dim:
            raise ValueError(
                f"the complementary model has dim={complementary.dim} and the model dim={backbone.dim}; MVS scores the "
                "states of both with one item table, so give them the same"
            )
        self.complementary = complementary.requires_grad_(False)
        self.label_weight, self.context_weight, self.model_weight = label_weight, context_weight, model_weight
        self.noise_scale, self.adversarial_step = noise_scale, adversarial_step

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The total of a batch; the noise is drawn for its soft positions alone."""
        complement = self.complement(batch.items, batch.counts.items)
        first, second = (torch.randn_like(complement.expected) for _ in range(2))
        terms = self.terms(batch, complement, first, second)
        loss = self.total(terms)
        self.log_terms(batch, terms._asdict() | {"loss": loss})
        return loss

    def total(self, terms: Smoothness) -> Tensor:
        """The weighted sum; contexts count 0.2 times their mean, as released."""
        context = (terms.ce_first + terms.ce_second) / 2
        model = (terms.kl_first + terms.kl_second + terms.kl_cross) / 3
        smooth = self.label_weight * terms.label + self.context_weight * 0.2 * context + self.model_weight * model
        return terms.ce + smooth

    def terms(self, batch: Batch, complement: Complement, first: Tensor, second: Tensor) -> Smoothness:
        """All terms of a batch, given standard normal draws ``(N, V)`` for both views."""
        supervised, table = self.supervised(batch), self.backbone.item_embedding.weight
        clean = self.backbone.at(batch.items, supervised).to(table.dtype)
        with torch.autocast(table.device.type, enabled=False):
            one, other = self.soft_embeddings(batch, complement, clean.detach(), first, second)
            views = self.view_states(batch.items, complement.soft, one, other)
            view, counterpart = (supervised.of(states) for states in views)
            target, label = supervised.of(batch.next_items), supervised.of(complement.states)
            return smoothness(clean, label, view, counterpart, table, target, supervised.exist)

    @torch.no_grad()
    def complement(self, items: Tensor, most: int | None = None) -> Complement:
        """What the complementary model says of histories ``(B, L)``, those at padding too; in full precision.

        Args:
            items: the histories.
            most: items of all of them together; None: B * L.
        """
        model, valid = self.complementary.eval(), items != 0  # it never has dropout
        shift = model.trunk.max_length - valid.sum(1, keepdim=True)
        column = (shift + torch.arange(items.shape[1], device=items.device)).clamp(max=model.trunk.max_length - 1)
        left = left_padded(items, valid, model.trunk.max_length)
        with torch.autocast(items.device.type, enabled=False):
            states = window_states(model.trunk, model.item_embedding(left), left != 0)
        soft = choose(valid & (column > 0), items.numel() if most is None else most)
        before = soft.of(states.gather(1, (column - 1).clamp(min=0)[..., None].expand(-1, -1, model.dim)))
        with torch.autocast(items.device.type, enabled=False):
            expected = torch.softmax(before @ model.item_embedding.weight.T, dim=1)
        return Complement(states.gather(1, column[..., None].expand(-1, -1, model.dim)), soft, expected)

    def soft_embeddings(
        self, batch: Batch, complement: Complement, clean: Tensor, first: Tensor, second: Tensor
    ) -> list[Tensor]:
        """Embeddings ``(N, D)`` of the soft positions in both views.

        Args:
            batch: of histories.
            complement: of the batch.
            clean: ``(M, D)`` states of the supervised positions, constant.
            first, second: standard normal draws ``(N, V)`` of the views.
        """
        supervised, table = self.supervised(batch), self.backbone.item_embedding.weight
        constant = table.detach()
        noises = [clamped_noise(noise, self.noise_scale) for noise in (first, second)]
        start = [((complement.expected + noise) @ constant).requires_grad_() for noise in noises]
        with torch.enable_grad():
            views = self.view_states(batch.items, complement.soft, *start)
            apart = [mean_symmetric_kl(supervised.of(states), clean, constant, supervised.exist) for states in views]
            gradients = torch.autograd.grad(torch.stack(apart).sum(), start)
        made = []
        for noise, gradient in zip(noises, gradients, strict=True):
            worst = adversarial_noise(noise, gradient, constant, self.adversarial_step, self.noise_scale)
            made.append(worst.add_(complement.expected) @ table)
        return made

    def view_states(self, items: Tensor, soft: Chosen, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """States ``(B, L, D)`` of both views in one pass, from their soft embeddings ``(N, D)``."""
        own = self.backbone.item_embedding(items)
        x = torch.cat([soft.put(own, view) for view in (first, second)])
        one, other = self.backbone.encode(x, (items != 0).repeat(2, 1)).chunk(2)
        return one, other

"""EASNRec: next items, a contrast of user vectors, and a generator of masked items against a discriminator.

Source: Zhang et al., Enhanced Adversarial Sequential Recommendation Fused with Siamese Networks for Edge
Environments, 2026; equation numbers are the paper's. Where the paper is silent the design is ECL-SR's
(Zhou et al., RecSys 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.backbones.base import Backbone
from seqrec.data.batch import Batch
from seqrec.functional.augment import masked_positions
from seqrec.functional.contrast import Encode
from seqrec.functional.generation import Generated, generate, mean_of_means, relax
from seqrec.functional.keyed_random import Stream
from seqrec.functional.losses import cross_entropy
from seqrec.functional.pooling import newest_mean
from seqrec.functional.precision import at_least_float
from seqrec.methods.adversarial.generator_discriminator import GeneratorDiscriminator
from seqrec.methods.base import BuildOptimizer
from seqrec.methods.easnrec.memory import first_reads, remember, settle, written
from seqrec.nn.trunk import TransformerTrunk, initialise

Contrast = Callable[[Tensor, Tensor, Tensor, Encode], Tensor]
"""Loss of ``(states (B, L, D), items (B, L), rng_keys (B,), encode)``, see :mod:`seqrec.functional.contrast`."""

Lazy = Callable[[], Tensor]
"""Computes ``(B, L, D)``, called only where there is a Siamese network that needs it."""


class Losses(NamedTuple):
    """Scalar terms of a training step: L_rec (2), L_cl (10), L_gen (14), L_disc (16), the mean of (13)."""

    recommendation: Tensor
    contrast: Tensor
    generator: Tensor
    discriminator: Tensor
    similarity: Tensor


class EASNRec(GeneratorDiscriminator[Losses]):
    """Players: the item table (``embedding``), ``encoder``, ``generator`` and ``discriminator``.

    The item table is its own player because it learns with the encoder and with the generator. The Siamese
    network belongs to the discriminator, and so does a discriminator trunk that is not shared.

    Args:
        backbone: the encoder, causal; it also holds the item table of all networks.
        optimizer: builds the optimizer of each player.
        generator: bidirectional trunk over masked histories.
        contrast: the loss L_cl (10).
        siamese: network of :mod:`seqrec.methods.easnrec.siamese`; None leaves out the similarity terms and their pass.
        adversarial: ``simultaneous`` descends the total (28) in one step, ``alternating`` takes turns of
            generator, discriminator and encoder, which leave out the weights lambda_4 and lambda_5.
        mask_ratio: gamma, share of items that the generator fills in.
        window: k of (9), newest states that make a user vector.
        generator_similarity_weight: lambda_1 (14).
        discriminator_similarity_weight: lambda_2 (16).
        contrast_weight: lambda_3 (28).
        generator_weight: lambda_4 (28).
        discriminator_weight: lambda_5 (28).
        discriminator: trunk of its own for the discriminator; None shares all of the encoder's.
        **base: other arguments of :class:`~seqrec.methods.adversarial.AdversarialRecommender`.
    """

    needs_causal = True

    def __init__(
        self,
        backbone: Backbone,
        optimizer: BuildOptimizer,
        generator: TransformerTrunk,
        contrast: Contrast,
        siamese: nn.Module | None,
        adversarial: Literal["simultaneous", "alternating"],
        mask_ratio: float,
        window: int,
        generator_similarity_weight: float,
        discriminator_similarity_weight: float,
        contrast_weight: float,
        generator_weight: float,
        discriminator_weight: float,
        discriminator: TransformerTrunk | None = None,
        **base: Any,
    ) -> None:
        super().__init__(backbone, optimizer, adversarial, **base)
        if siamese is not None and adversarial == "simultaneous":
            _check_similarity(discriminator_weight, discriminator_similarity_weight)
        self.generator, self.discriminator, self.siamese = generator, discriminator, siamese
        self.head = nn.Linear(backbone.dim, 1, bias=False)
        initialise(self.head)
        self.contrast, self.mask_ratio = contrast, mask_ratio
        self.lambda_1, self.lambda_2 = generator_similarity_weight, discriminator_similarity_weight
        self.lambda_3, self.lambda_4, self.lambda_5 = contrast_weight, generator_weight, discriminator_weight
        self.pool = partial(newest_mean, window=window)
        self.judges = ("discriminator", "encoder") if discriminator is None else ("discriminator",)

    def players(self) -> Mapping[str, list[nn.Module]]:
        """The item table, and each network without it; a shared discriminator is the encoder's and has a head only."""
        table = self.backbone.item_embedding
        return {
            "embedding": [table],
            "encoder": [module for module in self.backbone.children() if module is not table],
            "generator": [self.generator],
            "discriminator": [m for m in (self.head, self.siamese, self.discriminator) if m is not None],
        }

    def learn(self, batch: Batch) -> Losses:
        """One step or three turns on a batch."""
        masked = masked_positions(batch.items, self.rng_keys(batch.row, Stream.MASK), self.mask_ratio)
        return self.simultaneous_step(batch, masked) if self.simultaneous else self.alternating_step(batch, masked)

    def total(self, losses: Losses) -> Tensor:
        """The objective (28)."""
        adversaries = self.lambda_4 * losses.generator + self.lambda_5 * losses.discriminator
        return losses.recommendation + self.lambda_3 * losses.contrast + adversaries

    def simultaneous_step(self, batch: Batch, masked: Tensor) -> Losses:
        """One backward pass of (28).

        Literally summed, the two similarity terms would cancel. Here each reaches its own player: the term
        below is the discriminator's, and the gradient that it sends on to the generator is turned around.
        """
        with self.turn_of(*self.players()) as step, first_reads(self) as seen:
            states = self.backbone(batch.items)
            made = self.generate(batch.items, masked)
            recommendation = self.recommendation_loss(states, batch)
            contrast = self.contrast_loss(states, batch)
            detection = self.detection_loss(states, batch.items, made.items)
            similarity = self.similarity(batch.items, lambda: states, lambda: self.turned(made)).mean()
            step(
                recommendation
                + self.lambda_3 * contrast
                + self.lambda_4 * made.loss
                + self.lambda_5 * (detection + self.lambda_2 * similarity)
            )
            remember(seen)
        return Losses(
            recommendation,
            contrast,
            made.loss - self.lambda_1 * similarity,
            detection - self.lambda_2 * (1 - similarity),
            similarity,
        )

    def alternating_step(self, batch: Batch, masked: Tensor) -> Losses:
        """The turns of generator, discriminator and encoder; each remembers the states of its own network."""
        table = self.backbone.item_embedding
        with self.turn_of("generator", "embedding") as step, first_reads(self.generator) as seen:
            made = self.generate(batch.items, masked)
            similarity = self.similarity(
                batch.items,
                lambda: self.constant_states(batch.items),
                lambda: relax(table(made.items).detach(), made, 1.0),
            ).mean()
            generator = made.loss - self.lambda_1 * similarity  # (14)
            step(generator)
            remember(seen)
        with self.turn_of(*self.judges) as step, first_reads(self.discriminator) as seen:
            states = self.backbone(batch.items)
            similarity = self.similarity(batch.items, lambda: states, lambda: table(made.items)).mean()
            detection = self.detection_loss(states, batch.items, made.items)
            discriminator = detection - self.lambda_2 * (1 - similarity)  # (16)
            step(discriminator)
            remember(seen)
        with self.turn_of("encoder", "embedding") as step, first_reads(self.backbone) as seen:
            states = self.backbone(batch.items)
            recommendation = self.recommendation_loss(states, batch)
            contrast = self.contrast_loss(states, batch)
            step(recommendation + self.lambda_3 * contrast)
            remember(seen)
        return Losses(recommendation, contrast, generator, discriminator, similarity)

    @contextmanager
    def turn_of(self, *players: str) -> Iterator[Callable[[Tensor], None]]:
        """A turn whose passes read all memories as their pending writes leave them."""
        with self.turn(*players) as step, written(self):
            yield step

    def recommendation_loss(self, states: Tensor, batch: Batch) -> Tensor:
        """L_rec (2), the mean over supervised positions of ``(B, L, D)``."""
        supervised = batch.next_items != 0
        return cross_entropy(states[supervised], self.backbone.item_matrix, batch.next_items[supervised] - 1)

    def contrast_loss(self, states: Tensor, batch: Batch) -> Tensor:
        """L_cl (10) of ``(B, L, D)``."""
        return self.contrast(states, batch.items, self.rng_keys(batch.row, Stream.VIEW), self.backbone)

    def generate(self, items: Tensor, masked: Tensor) -> Generated:
        """Fill in ``masked`` positions of ``(B, L)``; the loss is a mean over users of means over items."""
        hidden = items.masked_fill(masked, self.backbone.mask_token)
        states = self.generator(self.backbone.item_embedding(hidden), items != 0)
        weight = mean_of_means(masked)[masked]
        loss, choice, mean = generate(states[masked], self.backbone.item_matrix, items[masked] - 1, weight)
        return Generated(items.masked_scatter(masked, choice + 1), masked, mean, loss)

    def detection_loss(self, states: Tensor, items: Tensor, generated: Tensor) -> Tensor:
        """L_disc (16) without similarity: is an item of ``(B, L)`` original; the first item is not judged."""
        judged = (items != 0) & (torch.arange(items.shape[1], device=items.device) > 0)
        verdict = self.verdict(states, generated)[judged]
        original = (generated == items)[judged].to(verdict.dtype)
        total = F.binary_cross_entropy_with_logits(verdict, original, reduction="sum")
        return total / judged.sum().clamp(min=1)

    def verdict(self, states: Tensor, generated: Tensor) -> Tensor:
        """Logits ``(B, L)`` of being original, given the encoder's states ``(B, L, D)`` of the real items."""
        conditioned = self.backbone.item_embedding(generated) + states
        judge = self.backbone.encode if self.discriminator is None else self.discriminator
        logits: Tensor = self.head(judge(conditioned, generated != 0)).squeeze(-1)
        return logits

    def turned(self, made: Generated) -> Tensor:
        """Embedded generated items that turn the gradient of the similarity into that of the generator."""
        ratio = -(self.lambda_4 * self.lambda_1) / (self.lambda_5 * self.lambda_2)
        return relax(self.backbone.item_embedding(made.items), made, ratio)

    @torch.no_grad()
    def constant_states(self, items: Tensor) -> Tensor:
        """The encoder's states ``(B, L, D)``, without gradient."""
        states: Tensor = self.backbone(items)
        return states

    def similarity(self, items: Tensor, states: Lazy, generated: Lazy) -> Tensor:
        """Cosines (13) ``(B,)`` of the encoder's states of real and of generated items.

        Without a Siamese network they are 0, and neither pass is made.

        Args:
            items: ``(B, L)`` histories.
            states: the encoder's states of them.
            generated: embedded generated items.
        """
        if self.siamese is None:
            return torch.zeros(len(items), device=items.device)
        valid = items != 0
        real = self.siamese(states(), valid, self.pool)
        fake = self.siamese(self.backbone.encode(generated(), valid), valid, self.pool)
        return F.cosine_similarity(at_least_float(real), at_least_float(fake, real), dim=1)

    def hold(self) -> None:
        """Evaluation reads memories without a pending write."""
        settle(self)

    def on_train_epoch_end(self) -> None:
        """Finish pending memory writes, so that a run resumed from here is the same run."""
        super().on_train_epoch_end()
        settle(self)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Finish pending memory writes, in place: the state dict that was taken already has them too."""
        super().on_save_checkpoint(checkpoint)
        settle(self)


def _check_similarity(discriminator_weight: float, similarity_weight: float) -> None:
    if discriminator_weight * similarity_weight <= 0:
        raise ValueError(
            f"discriminator_weight is {discriminator_weight} and discriminator_similarity_weight "
            f"{similarity_weight}, but the generator's similarity term needs both above 0 when all players "
            "step together; use siamese=null to leave the terms out, or adversarial=alternating"
        )

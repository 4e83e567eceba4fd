"""EASNRec: next items, a contrast of user vectors, and a generator of masked items against a discriminator.

Source: Zhang et al., Enhanced Adversarial Sequential Recommendation Fused with Siamese Networks for Edge
Environments, 2026; equation numbers are the paper's. No code is public, so where the paper is silent this is a reading:
ECL-SR's (Zhou et al., RecSys 2023), from whose design the model is built, or one of those that docs/models/easnrec.md
compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from math import ceil
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from seqrec.backbones.base import Backbone
from seqrec.data.batch import Batch
from seqrec.functional.augment import masked_positions
from seqrec.functional.generation import generate, mean_of_means
from seqrec.functional.keyed_random import Stream
from seqrec.functional.losses import NextItemLoss, next_item
from seqrec.functional.pooling import newest_mean
from seqrec.functional.precision import at_least_float
from seqrec.functional.unit_rows import cosines
from seqrec.methods.adversarial.generated import Generated
from seqrec.methods.adversarial.generator_discriminator import GeneratorDiscriminator
from seqrec.methods.adversarial.turns import constant
from seqrec.methods.base import BuildOptimizer, Task
from seqrec.methods.easnrec.contrast import Contrast, passes
from seqrec.methods.easnrec.losses import Losses
from seqrec.methods.easnrec.memory import first_reads, keep_from_decay, read_variance, remember, settle, written
from seqrec.methods.easnrec.siamese import two_branches
from seqrec.methods.easnrec.similarity import GeneratedStates, Influence, Similarity, Split, Weights, encoded
from seqrec.nn.chosen import Chosen, choose
from seqrec.nn.packing import counted
from seqrec.nn.trunk import TransformerTrunk, initialise

Masking = Callable[[Tensor, Tensor, float], Tensor]
"""Positions ``(B, L)`` to fill in, of ``(items (B, L), rng_keys (B,), ratio)``: of a row at most that ratio and one."""


class EASNRec(GeneratorDiscriminator[Losses]):
    """Players: the item table (``embedding``), ``encoder``, ``generator`` and ``discriminator``.

    The item table is its own player because it learns with the encoder and with the generator. The Siamese
    network belongs to the discriminator, and so does a discriminator trunk that is not shared.

    Args:
        backbone: the encoder, causal; it also holds the item table of all networks.
        optimizer: builds the optimizer of each player.
        generator: bidirectional trunk over masked histories.
        contrast: L_cl (10), of :mod:`seqrec.methods.easnrec.contrast`.
        siamese: network of :mod:`seqrec.methods.easnrec.siamese`; None leaves out the similarity terms and their pass.
        adversarial: ``simultaneous`` descends the total (28) in one step, ``alternating`` takes turns of generator,
            discriminator and encoder, each with optimizers of its own.
        mask_ratio: gamma, share of items that the generator fills in.
        window: k of (9), newest states that make a user vector.
        generator_similarity_weight: lambda_1 (14).
        discriminator_similarity_weight: lambda_2 (16).
        contrast_weight: lambda_3 (28).
        generator_weight: lambda_4 (28).
        discriminator_weight: lambda_5 (28).
        discriminator: trunk of its own for the discriminator; None shares all of the encoder's.
        similarity: whom the similarity moves which way, see :mod:`seqrec.methods.easnrec.similarity`.
        generated_states: which states of what was generated are compared, a function of the same module.
        masking: which positions the generator fills in.
        pool: the mean of (9) for the Siamese network, a function of :mod:`seqrec.functional.pooling`.
        loss_length: L_rec is a mean over so many positions of each example, padding among them, as in ECL-SR's code,
            from whose weights lambda_3 to lambda_5 then have the same meaning; None: over the supervised positions.
        loss: of the next items (2), a function of :mod:`seqrec.functional.losses`.
        **base: other arguments of :class:`~seqrec.methods.adversarial.AdversarialRecommender`.
    """

    needs_causal = True
    compiled_parts = ("objective",)

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
        similarity: Similarity | None = None,
        generated_states: GeneratedStates = encoded,
        masking: Masking = masked_positions,
        pool: Callable[[Tensor, Tensor, int], Tensor] = newest_mean,
        loss_length: int | None = None,
        loss: NextItemLoss = next_item,
        **base: Any,
    ) -> None:
        super().__init__(backbone, optimizer, adversarial, **base)
        similarity = Split() if similarity is None else similarity
        if adversarial == "alternating" and not isinstance(similarity, Split):
            raise ValueError(
                "model/similarity=joint is one coefficient for all players, but with adversarial=alternating each "
                "descends its own loss; use model/similarity=split, or adversarial=simultaneous"
            )
        self.generator, self.discriminator, self.siamese = generator, discriminator, siamese
        self.head = nn.Linear(backbone.dim, 1, bias=False)
        initialise(self.head)
        self.contrast, self.loss, self.masking, self.mask_ratio = contrast, loss, masking, mask_ratio
        self.lambda_1, self.lambda_2 = generator_similarity_weight, discriminator_similarity_weight
        self.lambda_3, self.lambda_4, self.lambda_5 = contrast_weight, generator_weight, discriminator_weight
        self.similarity_reading, self.generated_states, self.loss_length = similarity, generated_states, loss_length
        self.mean, self.window = pool, window

    def players(self) -> Mapping[str, list[nn.Module]]:
        """The item table, and each network without it; a shared discriminator is the encoder's and has a head only."""
        table = self.backbone.item_embedding
        return {
            "embedding": [table],
            "encoder": [module for module in self.backbone.children() if module is not table],
            "generator": [self.generator],
            "discriminator": [m for m in (self.head, self.siamese, self.discriminator) if m is not None],
        }

    def turns(self) -> Sequence[Mapping[str, float]]:
        """All in one, or three, where a player of two turns takes smaller steps in the one that (28) weighs down.

        A weight of the loss itself would change nothing there, as Adam's steps do not depend on the scale of a loss.
        """
        if self.simultaneous:
            return super().turns()
        judges = {"discriminator": 1.0} | ({"encoder": self.lambda_5} if self.discriminator is None else {})
        return [{"generator": 1.0, "embedding": self.lambda_4}, judges, {"encoder": 1.0, "embedding": 1.0}]

    def build_optimizers(self) -> list[Optimizer]:
        """Of the players; weights of memories do not decay."""
        return [keep_from_decay(optimizer, self) for optimizer in super().build_optimizers()]

    def pool(self, states: Tensor, valid: Tensor) -> Tensor:
        """User vectors ``(B, D)`` (9) of ``(B, L, D)``."""
        return self.mean(states, valid, self.window)

    def learn(self, batch: Batch) -> Losses:
        """One step or three turns on a batch."""
        mask_keys, view_keys = self.rng_keys_of_streams(batch.row, Stream.MASK, Stream.VIEW)
        masked = self.masking(batch.items, mask_keys, self.mask_ratio)
        filled = choose(masked, ceil(self.mask_ratio * batch.counts.items) + len(batch.row))
        step = self.simultaneous_step if self.simultaneous else self.alternating_step
        return step(batch, filled, view_keys)

    def total(self, losses: Losses) -> Tensor:
        """The objective (28)."""
        total = torch.add(losses.recommendation, losses.contrast, alpha=self.lambda_3)
        return total.add(losses.generator, alpha=self.lambda_4).add(losses.discriminator, alpha=self.lambda_5)

    def simultaneous_step(self, batch: Batch, masked: Chosen, view_keys: Tensor) -> Losses:
        """One backward pass of (28), in which the similarity has the influence that a reading gives it."""
        is_item = counted(batch.items != 0)
        with self.turn_of(*self.players()) as step, first_reads(self) as seen:
            objective, losses = self.objective(batch.items, masked, self.task(self.loss, batch), view_keys)
            step(objective)
            remember(seen, is_item)
        return losses._replace(read_variance=read_variance(seen, self.backbone, is_item))

    def objective(self, items: Tensor, masked: Chosen, task: Task, view_keys: Tensor) -> tuple[Tensor, Losses]:
        """What a simultaneous step descends, and its terms.

        Of histories ``(B, L)``, what the generator fills in, the task of L_rec and rng_keys ``(B,)`` of the contrast.
        """
        shared = self.similarity_reading.influence(Weights(self.lambda_1, self.lambda_2, self.lambda_4, self.lambda_5))
        states, again = passes(self.backbone, items, self.contrast)
        made, filled = self.generate(items, masked)
        recommendation = self.term("recommendation", self.loss_of_task(states, task))
        contrast = self.contrast(states, items, view_keys, self.backbone, again)
        detection = self.detection_loss(states, items, made.items)
        similarity = self.term("similarity", self.similarity(items, states, made, filled, shared).mean())
        objective = torch.add(recommendation, self.term("contrast", contrast.loss), alpha=self.lambda_3)
        made_too = torch.add(self.term("generator", made.loss), similarity, alpha=shared.in_generator)
        judged_too = torch.add(self.term("discriminator", detection), similarity, alpha=shared.in_discriminator)
        objective = objective.add(made_too, alpha=self.lambda_4).add(judged_too, alpha=self.lambda_5)
        generator = torch.sub(made.loss.detach(), similarity.detach(), alpha=self.lambda_1)
        discriminator = torch.add(detection.detach(), similarity.detach(), alpha=self.lambda_2) - self.lambda_2
        return objective, Losses(recommendation, *contrast, generator, discriminator, similarity, None)

    def alternating_step(self, batch: Batch, masked: Chosen, view_keys: Tensor) -> Losses:
        """The turns of generator, discriminator and encoder; each remembers the states of its own network."""
        turns, is_item = [tuple(turn) for turn in self.turns()], counted(batch.items != 0)
        with self.turn_of(*turns[0]) as step, first_reads(self.generator) as seen:
            made, filled = self.generate(batch.items, masked)
            alone = Influence(-self.lambda_1, 0.0, 1.0, generator_only=True)
            similarity = self.similarity(batch.items, None, made, filled, alone).mean()
            generator = self.term("generator", made.loss) - self.lambda_1 * self.term("similarity", similarity)  # (14)
            step(generator)
            remember(seen, is_item)
        with self.turn_of(*turns[1]) as step, first_reads(self.discriminator) as seen:
            states = self.backbone(batch.items)
            similarity = self.similarity(batch.items, states, made, filled, Influence(0.0, self.lambda_2, 0.0)).mean()
            detection = self.detection_loss(states, batch.items, made.items)
            alike = self.term("similarity", similarity)
            discriminator = self.term("discriminator", detection) - self.lambda_2 * (1 - alike)  # (16)
            step(discriminator)
            remember(seen, is_item)
        with self.turn_of(*turns[2]) as step, first_reads(self.backbone) as seen:
            states, again = passes(self.backbone, batch.items, self.contrast)
            recommendation = self.term("recommendation", self.recommendation_loss(states, batch))
            contrast = self.contrast(states, batch.items, view_keys, self.backbone, again)
            step(recommendation + self.lambda_3 * self.term("contrast", contrast.loss))
            remember(seen, is_item)
        varied = read_variance(seen, self.backbone, is_item)
        return Losses(recommendation, *contrast, generator, discriminator, similarity, varied)

    @contextmanager
    def turn_of(self, *players: str) -> Iterator[Callable[[Tensor], None]]:
        """A turn whose passes read all memories as their pending writes leave them."""
        with self.turn(*players) as step, written(self):
            yield step

    def recommendation_loss(self, states: Tensor, batch: Batch) -> Tensor:
        """L_rec (2), the mean over supervised positions of ``(B, L, D)``, or over ``loss_length`` positions a row."""
        return self.loss_of_task(states, self.task(self.loss, batch))

    def loss_of_task(self, states: Tensor, task: Task) -> Tensor:
        """See :meth:`recommendation_loss`."""
        loss = self.loss_at(self.loss, task, task.chosen.of(states))
        return loss if self.loss_length is None else loss * task.chosen.number / (len(states) * self.loss_length)

    def generate(self, items: Tensor, masked: Chosen) -> tuple[Generated, Tensor]:
        """Fill in ``masked`` positions of ``(B, L)``; the loss is a mean over users of means over items.

        Returns:
            What was generated, and the generator's states ``(B, L, D)``.
        """
        hidden = items.masked_fill(masked.mask, self.backbone.mask_token)
        states = self.generator(self.backbone.item_embedding(hidden), items != 0)
        weight = masked.weighed(mean_of_means(masked.mask))
        loss, choice, mean = generate(masked.of(states), self.backbone.item_matrix, masked.of(items) - 1, weight)
        return Generated(masked.put(items, choice + 1), masked, mean, loss), states

    def detection_loss(self, states: Tensor, items: Tensor, generated: Tensor) -> Tensor:
        """L_disc (16) without similarity: is an item of ``(B, L)`` original; the first item is not judged."""
        after_first = items != 0
        after_first[:, :1].fill_(False)
        judged = choose(after_first)
        verdict = judged.of(self.verdict(states, generated))
        original = judged.of(generated == items).to(verdict.dtype)
        total = F.binary_cross_entropy_with_logits(verdict, original, judged.exist, reduction="sum")
        return total / judged.number.clamp(min=1)

    def verdict(self, states: Tensor, generated: Tensor) -> Tensor:
        """Logits ``(B, L)`` of being original, given the encoder's states ``(B, L, D)`` of the real items."""
        conditioned = self.backbone.item_embedding(generated) + states
        judge = self.backbone.encode if self.discriminator is None else self.discriminator
        logits: Tensor = self.head(judge(conditioned, generated != 0)).squeeze(-1)
        return logits

    def similarity(
        self, items: Tensor, states: Tensor | None, made: Generated, filled: Tensor, influence: Influence
    ) -> Tensor:
        """Cosines (13) ``(B,)`` of real and generated histories; 0, without a pass, if there is no Siamese network.

        Args:
            items: ``(B, L)`` histories.
            states: ``(B, L, D)`` the encoder's states of them; None makes them, as constants.
            made: what the generator made of them.
            filled: ``(B, L, D)`` the generator's states.
            influence: which gradients it has.
        """
        if self.siamese is None:
            return torch.zeros(len(items), device=items.device)
        valid = items != 0
        if states is None:
            with torch.no_grad():
                states = self.backbone(items)
        with constant(self.backbone, self.siamese) if influence.generator_only else nullcontext():
            states = states.detach() if influence.generator_only else states
            generated = partial(self.generated_states, made, filled, self.backbone, influence.to_generator)
            real, fake = two_branches(self.siamese, states, generated, valid, self.pool)
        return cosines(at_least_float(real), at_least_float(fake, real))

    def hold(self) -> None:
        """Evaluation reads memories without a pending write."""
        settle(self)

    def on_train_epoch_end(self) -> None:
        """Finish pending memory writes, so that a run resumed from here is the same run."""
        super().on_train_epoch_end()
        settle(self)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Finish pending memory writes, in place: they are in the state dict that was taken, too."""
        super().on_save_checkpoint(checkpoint)
        settle(self)

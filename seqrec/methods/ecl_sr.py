"""ECL-SR: next items, a contrast of two dropout passes, and a discriminator of a generator's substitutions.

Source: Zhou et al., Equivariant Contrastive Learning for Sequential Recommendation, RecSys 2023, as released.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

from torch import Tensor, nn

from seqrec.backbones.transformer import Transformer
from seqrec.data.batch import Batch, Counts
from seqrec.functional.generation import generate
from seqrec.functional.in_batch.info_nce import anchored_info_nce
from seqrec.functional.keyed_random import Stream
from seqrec.functional.losses import NextItemLoss, draws, judgement, next_item, weighed
from seqrec.functional.ranks import of_all_ranks
from seqrec.methods.adversarial.generated import Generated
from seqrec.methods.adversarial.generator_discriminator import GeneratorDiscriminator
from seqrec.methods.adversarial.layout import Layout, LeftPaddedWindows, RightPadded
from seqrec.methods.base import BuildOptimizer
from seqrec.nn.chosen import choose
from seqrec.nn.trunk import TransformerTrunk, initialise
from seqrec.nn.window_trunk import check_plain

Masks = Callable[[Tensor, Tensor, float, int], tuple[Tensor, Tensor]]
"""Hidden positions and those of them to fill in, both ``(B, L)``, of ``(items (B, L), rng_keys (B,), ratio, most)``;
see :mod:`seqrec.functional.cloze`."""


class Losses(NamedTuple):
    """Scalar terms of a training step."""

    recommendation: Tensor
    contrast: Tensor
    generator: Tensor
    discriminator: Tensor


class Inputs(NamedTuple):
    """What the networks learn from a batch, in the layout in which they see it.

    Attributes:
        items: ``(B, W)``.
        next_items: ``(B, W)``, 0 is the padding class where padding learns.
        supervised: ``(B, W)`` bool, the positions that learn their next item.
        rng_keys: ``(B, W)``, random keys of their loss, the same one at all padding.
        hidden: ``(B, W)`` bool, what the generator does not see.
        filled: ``(B, W)`` bool, those of ``hidden`` that it fills in; the others stay hidden.
        most: how many filled items and supervised positions there can be.
    """

    items: Tensor
    next_items: Tensor
    supervised: Tensor
    rng_keys: Tensor
    hidden: Tensor
    filled: Tensor
    most: Counts


class ECLSR(GeneratorDiscriminator[Losses]):
    """Players: the item table (``embedding``), ``encoder``, ``generator`` and ``discriminator``.

    The discriminator is the encoder itself with a head: it sees the generator's items, each added to the encoder's
    state of the real item. Its gradient also goes into that state.

    Args:
        backbone: the encoder, causal; it also holds the item table of all networks.
        optimizer: builds the optimizer of each player.
        generator: bidirectional trunk over masked histories.
        masked_positions: chooses what is hidden from the generator, and what of it the generator fills in.
        adversarial: ``simultaneous`` descends the sum of all terms in one step, as released; ``alternating`` takes
            turns of generator, discriminator and encoder, which leave out the weights of the first two.
        padding_learns: as released: histories are whole left-padded windows; padding has states that learn what
            follows them, enter the mean of the last k, and may be generated; at most ``mask_ratio * W`` items of a
            window of W are filled in. Otherwise padding is left out, at a fraction of the cost on short histories.
        mask_ratio: fraction of the items that the generator fills in.
        window: k, newest states that make a user vector of the contrast.
        temperature: tau of the contrast.
        contrast_weight: of the contrast.
        generator_weight: of the generator's loss.
        discriminator_weight: of the discriminator's loss.
        loss: of the next items, a function of :mod:`seqrec.functional.losses`; None is the cross entropy over all
            items, where padding learns over padding too.
        **base: other arguments of :class:`~seqrec.methods.adversarial.AdversarialRecommender`.
    """

    needs = Transformer
    needs_causal = True
    backbone: Transformer

    def __init__(
        self,
        backbone: Transformer,
        optimizer: BuildOptimizer,
        generator: TransformerTrunk,
        masked_positions: Masks,
        adversarial: Literal["simultaneous", "alternating"],
        padding_learns: bool,
        mask_ratio: float,
        window: int,
        temperature: float,
        contrast_weight: float,
        generator_weight: float,
        discriminator_weight: float,
        loss: NextItemLoss | None = None,
        **base: Any,
    ) -> None:
        super().__init__(backbone, optimizer, adversarial, **base)
        self.generator = generator
        self.head = nn.Linear(backbone.dim, 1, bias=False)
        initialise(self.head)
        self.masked_positions, self.mask_ratio, self.window, self.temperature = (
            masked_positions,
            mask_ratio,
            window,
            temperature,
        )
        self.contrast_weight = contrast_weight
        self.generator_weight, self.discriminator_weight = generator_weight, discriminator_weight
        if padding_learns:
            check_plain(backbone.trunk, generator)
            nn.init.normal_(backbone.item_embedding.weight.data[0], std=0.02)
        self.layout: Layout = LeftPaddedWindows(backbone.trunk.max_length) if padding_learns else RightPadded()
        self.loss = loss or partial(next_item, padding_class=padding_learns)

    def players(self) -> Mapping[str, list[nn.Module]]:
        """The item table, the encoder and the generator without it, and the head."""
        table = self.backbone.item_embedding
        return {
            "embedding": [table],
            "encoder": [module for module in self.backbone.children() if module is not table],
            "generator": [self.generator],
            "discriminator": [self.head],
        }

    @property
    def encoder(self) -> TransformerTrunk:
        """The trunk of the encoder, which is the discriminator's too."""
        return self.backbone.trunk

    @property
    def classes(self) -> Tensor:
        """Vectors ``(C, D)`` of all that may be predicted; the first is padding where padding learns."""
        return self.backbone.item_embedding.weight[self.layout.first_class : -1]

    def learn(self, batch: Batch) -> Losses:
        """One step or three turns on a batch."""
        inputs = self.inputs(batch, *self.masks(batch))
        return self.simultaneous_step(inputs) if self.simultaneous else self.alternating_step(inputs)

    def masks(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What of a batch is hidden from the generator and what of that it fills in, both ``(B, L)`` bool."""
        most = self.layout.most_filled(batch.items, self.mask_ratio)
        return self.masked_positions(batch.items, self.rng_keys(batch.row, Stream.MASK), self.mask_ratio, most)

    def inputs(self, batch: Batch, hidden: Tensor, filled: Tensor) -> Inputs:
        """What the networks learn from a batch, of which :meth:`masks` hid items ``(B, L)``."""
        valid = batch.items != 0
        filled_in_row = self.layout.most_filled(batch.items, self.mask_ratio)
        most_filled = min(batch.counts.items, len(batch.row) * filled_in_row)
        return Inputs(
            self.layout.arrange(batch.items, valid),
            self.layout.following(batch),
            self.layout.supervised(batch),
            self.layout.arrange(self.position_rng_keys(batch) if draws(self.loss) else batch.items, valid),
            self.layout.arrange(hidden, valid),
            self.layout.arrange(filled, valid),
            Counts(most_filled, self.layout.most_supervised(batch)),
        )

    def total(self, losses: Losses) -> Tensor:
        """The objective; the next item's weight is 1."""
        adversaries = self.generator_weight * losses.generator + self.discriminator_weight * losses.discriminator
        return losses.recommendation + self.contrast_weight * losses.contrast + adversaries

    def simultaneous_step(self, inputs: Inputs) -> Losses:
        """One backward pass of the sum."""
        with self.turn(*self.players()) as step:
            states, again = self.states_twice(inputs)
            made = self.generate(inputs)
            losses = Losses(
                self.term("recommendation", self.recommendation_loss(states, inputs)),
                self.term("contrast", self.contrast_loss(states, again, inputs.items)),
                self.term("generator", made.loss),
                self.term("discriminator", self.detection_loss(states, inputs.items, made.items)),
            )
            step(self.total(losses))
        return losses

    def alternating_step(self, inputs: Inputs) -> Losses:
        """The turns of generator, discriminator and encoder."""
        with self.turn("generator", "embedding") as step:
            made = self.generate(inputs)
            step(self.term("generator", made.loss))
        with self.turn("discriminator", "encoder") as step:
            valid = inputs.items != 0
            states = self.layout.encode(self.encoder, self.backbone.item_embedding(inputs.items), valid, valid)
            detection = self.term("discriminator", self.detection_loss(states, inputs.items, made.items))
            step(detection)
        with self.turn("encoder", "embedding") as step:
            states, again = self.states_twice(inputs)
            recommendation = self.term("recommendation", self.recommendation_loss(states, inputs))
            contrast = self.term("contrast", self.contrast_loss(states, again, inputs.items))
            step(recommendation + self.contrast_weight * contrast)
        return Losses(recommendation, contrast, made.loss, detection)

    def states_twice(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """The encoder's states ``(B, W, D)`` in two passes, which differ by dropout; where a term needs them."""
        items = inputs.items.repeat(2, 1)
        wanted = inputs.supervised | (inputs.items != 0)
        wanted[:, -self.window :] = True  # of the contrast
        states = self.layout.encode(self.encoder, self.backbone.item_embedding(items), items != 0, wanted.repeat(2, 1))
        first, second = states.chunk(2)
        return first, second

    def recommendation_loss(self, states: Tensor, inputs: Inputs) -> Tensor:
        """The loss of the next items, the mean over supervised positions of ``(B, W, D)``."""
        chosen, table = choose(inputs.supervised, inputs.most.supervised), self.backbone.item_embedding.weight
        found: Tensor = weighed(self.loss, chosen.weight)(
            chosen.of(states), chosen.of(inputs.next_items), table, chosen.of(inputs.rng_keys)
        )
        return found

    def contrast_loss(self, states: Tensor, again: Tensor, items: Tensor) -> Tensor:
        """InfoNCE of the user vectors of two passes ``(B, W, D)``; negatives are other rows of the second."""
        first, second = (of_all_ranks(self.layout.newest_mean(x, items != 0, self.window)) for x in (states, again))
        return anchored_info_nce(first, second, second, self.temperature)

    def generate(self, inputs: Inputs) -> Generated:
        """Fill in items; the loss is their mean cross entropy over the batch."""
        filled = choose(inputs.filled, inputs.most.items)
        seen = inputs.items.masked_fill(inputs.hidden, self.backbone.mask_token)
        embedded = self.backbone.item_embedding(seen)
        states = filled.of(self.layout.encode(self.generator, embedded, seen != 0, filled.mask))
        weight = filled.weight
        if weight is None:
            weight = states.new_full((len(states),), 1.0 / max(1, len(states)))
        target = filled.of(inputs.items) - self.layout.first_class
        loss, choice, expected = generate(states, self.classes, target, weight)
        return Generated(filled.put(seen, choice + self.layout.first_class), filled, expected, loss)

    def detection_loss(self, states: Tensor, items: Tensor, generated: Tensor) -> Tensor:
        """Binary cross entropy of which items of ``(B, W)`` are replaced, the mean over all of them."""
        valid = items != 0
        judged = choose(valid)
        verdict = judged.of(self.verdict(states, generated, valid))
        replaced = judged.of(generated != items).to(verdict.dtype)
        return judgement(verdict, replaced, judged.weight)

    def verdict(self, states: Tensor, generated: Tensor, wanted: Tensor) -> Tensor:
        """Logits ``(B, W)`` of being replaced where they are wanted, given the encoder's states of the real items.

        States are ``(B, W, D)``, items and ``wanted`` ``(B, W)``.
        """
        conditioned = self.backbone.item_embedding(generated) + states
        logits: Tensor = self.head(self.layout.encode(self.encoder, conditioned, generated != 0, wanted)).squeeze(-1)
        return logits

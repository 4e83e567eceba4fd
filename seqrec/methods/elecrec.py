"""ELECRec: a discriminator of true next items and of items drawn from a generator; the discriminator recommends.

Source: Chen, Li and Xiong, ELECRec: Training Sequential Recommenders as Discriminators, SIGIR 2022, as released.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from seqrec.backbones.transformer import Transformer
from seqrec.data.batch import Batch
from seqrec.functional.generation import draw
from seqrec.functional.keyed_random import Stream
from seqrec.functional.losses import cross_entropy, judgement
from seqrec.methods.adversarial.generator_discriminator import GeneratorDiscriminator
from seqrec.methods.adversarial.layout import Layout, LeftPaddedWindows, RightPadded
from seqrec.methods.base import BuildOptimizer
from seqrec.nn.chosen import choose
from seqrec.nn.trunk import TransformerTrunk, initialise
from seqrec.nn.window_trunk import check_plain


class Losses(NamedTuple):
    """Scalar terms of a training step."""

    generator: Tensor
    discriminator: Tensor


class Inputs(NamedTuple):
    """What the networks learn from a batch, in the layout in which they see it.

    Attributes:
        items: ``(B, W)``.
        next_items: ``(B, W)``, 0 at padding.
        supervised: ``(B, W)`` bool, the positions at which the generator learns the next item.
        drawn: ``(B, W)`` bool, where the discriminator gets an item drawn from the generator.
        uniform: ``(B, W)``, the draws.
        most: how many supervised positions there can be.
    """

    items: Tensor
    next_items: Tensor
    supervised: Tensor
    drawn: Tensor
    uniform: Tensor
    most: int


class ELECRec(GeneratorDiscriminator[Losses]):
    """Players: ``shared``, ``generator`` and ``discriminator``; each network owns its embedding norm at least.

    The discriminator sees next items: its position t holds the true one or, where the training windows let a position
    learn, perhaps a draw; it judges those positions.

    Args:
        backbone: the discriminator, causal, and the item table of both networks.
        optimizer: builds the optimizer of each player.
        generator: causal trunk of the same sizes; its shared parts are replaced by those of the discriminator.
        adversarial: ``simultaneous`` descends the sum in one step, as released; ``alternating`` takes turns of
            generator and discriminator, both with what they share, and leaves out the weights.
        sharing: ``full`` shares all but the norm; ``embed_only`` the item table and the positions.
        padding_learns: as released: histories are whole left-padded windows; the generator learns that padding
            follows padding, padding and the mask token are classes of its softmax, and the discriminator sees drawn
            items in front of the true ones. Otherwise padding is left out, at a fraction of the cost on short
            histories.
        shared_lr_multiplier: of the learning rate of what is shared; the released code steps it twice.
        sample_ratio: probability that a position holds a draw.
        power: to which the probabilities are raised before drawing.
        generator_weight: of the generator's loss.
        discriminator_weight: of the discriminator's loss.
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
        adversarial: Literal["simultaneous", "alternating"],
        sharing: Literal["full", "embed_only"],
        padding_learns: bool,
        shared_lr_multiplier: float,
        sample_ratio: float,
        power: float,
        generator_weight: float,
        discriminator_weight: float,
        **base: Any,
    ) -> None:
        super().__init__(backbone, self.with_shared_rate, adversarial, **base)
        if sharing not in ("full", "embed_only"):
            raise ValueError(f"sharing is {sharing!r}; choose 'full' or 'embed_only'")
        if not 0.0 <= sample_ratio <= 1.0:
            raise ValueError(f"sample_ratio is {sample_ratio}; it must be between 0 and 1")
        generator.position = backbone.trunk.position
        if sharing == "full":
            generator.layers = backbone.trunk.layers
        self.generator = generator
        self.head = nn.Linear(backbone.dim, 1)
        initialise(self.head)
        self.given_optimizer, self.shared_lr_multiplier = optimizer, shared_lr_multiplier
        self.sample_ratio, self.power = sample_ratio, power
        self.generator_weight, self.discriminator_weight = generator_weight, discriminator_weight
        if padding_learns:
            check_plain(backbone.trunk, generator)
            nn.init.normal_(backbone.item_embedding.weight.data[0], std=0.02)
        self.layout: Layout = LeftPaddedWindows(backbone.trunk.max_length) if padding_learns else RightPadded()
        # Where padding is a class of the generator's softmax, the mask token at the end of the table is one too.
        self.end_class: int | None = None if padding_learns else -1

    def players(self) -> Mapping[str, list[nn.Module]]:
        """What both networks use, and what each has for itself."""
        trunks = {"generator": self.generator, "discriminator": self.discriminator}
        owned = {name: set(trunk.children()) for name, trunk in trunks.items()}
        shared = owned["generator"] & owned["discriminator"]
        own = {name: [m for m in trunk.children() if m not in shared] for name, trunk in trunks.items()}
        return {
            "shared": [self.backbone.item_embedding, *(m for m in self.discriminator.children() if m in shared)],
            "generator": own["generator"],
            "discriminator": [*own["discriminator"], self.head],
        }

    @property
    def discriminator(self) -> TransformerTrunk:
        """The backbone's trunk."""
        return self.backbone.trunk

    def with_shared_rate(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """The optimizer of a player; what is shared learns at its own rate."""
        parameters = list(parameters)
        optimizer = self.given_optimizer(parameters)
        if any(p is self.backbone.item_embedding.weight for p in parameters):
            for group in optimizer.param_groups:
                group["lr"] *= self.shared_lr_multiplier
        return optimizer

    def learn(self, batch: Batch) -> Losses:
        """One step or two turns on a batch."""
        inputs = self.inputs(batch)
        return self.simultaneous_step(inputs) if self.simultaneous else self.alternating_step(inputs)

    def inputs(self, batch: Batch) -> Inputs:
        """What the networks learn from a batch; the positions that learn may get a draw."""
        items = self.layout.arrange(batch.items, batch.items != 0)
        next_items = self.layout.following(batch) * (items != 0)
        supervised = self.layout.supervised(batch)
        replaced, uniform = (
            self.layout.draws(rng_keys, items)
            for rng_keys in self.rng_keys_of_streams(batch.row, Stream.MASK, Stream.REPLACEMENT)
        )
        drawn, most = supervised & (replaced < self.sample_ratio), self.layout.most_supervised(batch)
        return Inputs(items, next_items, supervised, drawn, uniform, most)

    def total(self, losses: Losses) -> Tensor:
        """The objective."""
        return self.generator_weight * losses.generator + self.discriminator_weight * losses.discriminator

    def simultaneous_step(self, inputs: Inputs) -> Losses:
        """One backward pass of the sum."""
        with self.turn(*self.players()) as step:
            states = self.generator_states(inputs)
            made = self.generate(states, inputs)
            losses = Losses(
                self.term("generator", self.generator_loss(states, inputs)),
                self.term("discriminator", self.detection_loss(made, inputs)),
            )
            step(self.total(losses))
        return losses

    def alternating_step(self, inputs: Inputs) -> Losses:
        """The turns of generator and discriminator."""
        with self.turn("generator", "shared") as step:
            states = self.generator_states(inputs)
            made = self.generate(states, inputs)
            generator = self.term("generator", self.generator_loss(states, inputs))
            step(generator)
        with self.turn("discriminator", "shared") as step:
            discriminator = self.term("discriminator", self.detection_loss(made, inputs))
            step(discriminator)
        return Losses(generator, discriminator)

    def generator_states(self, inputs: Inputs) -> Tensor:
        """``(B, W, D)``."""
        return self.layout.encode(
            self.generator, self.backbone.item_embedding(inputs.items), inputs.items != 0, inputs.supervised
        )

    def generator_loss(self, states: Tensor, inputs: Inputs) -> Tensor:
        """Cross entropy of the next items, the mean over supervised positions of ``(B, W, D)``."""
        classes = self.backbone.item_embedding.weight[self.layout.first_class : self.end_class]
        chosen = choose(inputs.supervised, inputs.most)
        target = chosen.of(inputs.next_items) - self.layout.first_class
        return cross_entropy(chosen.of(states), classes, target, chosen.weight)

    @torch.no_grad()
    def generate(self, states: Tensor, inputs: Inputs) -> Tensor:
        """The discriminator's input ``(B, W)``: next items, or draws from the generator's states ``(B, W, D)``."""
        classes = self.backbone.item_embedding.weight[1 : self.end_class]
        chosen = choose(inputs.drawn, inputs.most)
        return chosen.put(
            inputs.next_items, 1 + draw(chosen.of(states), classes, chosen.of(inputs.uniform), self.power)
        )

    def detection_loss(self, made: Tensor, inputs: Inputs) -> Tensor:
        """Binary cross entropy of which items of ``(B, W)`` are the true next ones, the mean over those known."""
        known = (inputs.next_items != 0) & inputs.supervised
        judged = choose(known)
        verdict = judged.of(self.verdict(made, known))
        true = judged.of(made == inputs.next_items).to(verdict.dtype)
        return judgement(verdict, true, judged.weight)

    def verdict(self, items: Tensor, wanted: Tensor) -> Tensor:
        """Logits ``(B, W)`` of being true of items ``(B, W)``, where they are wanted."""
        states = self.layout.encode(self.discriminator, self.backbone.item_embedding(items), items != 0, wanted)
        logits: Tensor = self.head(states).squeeze(-1)
        return logits

"""ELECRec: a discriminator of true next items and of items drawn from a generator; the discriminator recommends.

Source: Chen, Li and Xiong, ELECRec: Training Sequential Recommenders as Discriminators, SIGIR 2022, as released.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from seqrec.backbones.transformer import Transformer
from seqrec.data.batch import Batch
from seqrec.functional import keyed_random as keyed
from seqrec.functional.generation import draw
from seqrec.functional.left_padding import from_newest, left_padded
from seqrec.functional.losses import cross_entropy
from seqrec.methods.adversarial import AdversarialRecommender
from seqrec.methods.base import BuildOptimizer
from seqrec.nn.trunk import TransformerTrunk, initialise
from seqrec.nn.window_trunk import Encode, check_plain, history_states, window_states


class Terms(NamedTuple):
    """Scalar terms of a training step."""

    generator: Tensor
    discriminator: Tensor


class Task(NamedTuple):
    """What the networks learn from a batch, in the layout in which they see it.

    Attributes:
        items: ``(B, W)``.
        next_items: ``(B, W)``, 0 at padding.
        learnt: ``(B, W)`` bool, where the generator learns the next item.
        drawn: ``(B, W)`` bool, where the discriminator gets an item drawn from the generator.
        uniform: ``(B, W)``, the draws.
    """

    items: Tensor
    next_items: Tensor
    learnt: Tensor
    drawn: Tensor
    uniform: Tensor


class ELECRec(AdversarialRecommender):
    """Players: ``shared``, ``generator`` and ``discriminator``; each network owns its embedding norm at least.

    The discriminator sees next items: its position t holds the true one or a draw, so it learns at all positions of
    a history whatever the training windows say.

    Args:
        backbone: the discriminator, causal, and the item table of both networks.
        optimizer: builds the optimizer of each player.
        generator: causal trunk of the same sizes; what it shares is put in its place.
        adversarial: ``simultaneous`` descends the sum in one step, as released; ``alternating`` takes turns of
            generator and discriminator, both with what they share, and leaves out the weights.
        sharing: ``full`` shares all but the norm; ``embed_only`` the item table and the positions.
        padding_learns: as released: histories are whole left-padded windows; the generator learns that padding
            follows padding, padding and the mask token are classes of its softmax, and the discriminator sees drawn
            items in front of the true ones. Otherwise padding is left out, at a fraction of the cost on short
            histories.
        shared_lr_multiplier: of the learning rate of what is shared; the released code steps it twice.
        sample_ratio: chance of a position to get a draw.
        power: of the probabilities drawn from.
        generator_weight: of the generator's loss.
        discriminator_weight: of the discriminator's loss.
        **base: other arguments of :class:`AdversarialRecommender`.
    """

    needs_causal = True

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
        super().__init__(backbone, self.with_shared_rate, **base)
        schedules = {"simultaneous": self.simultaneous_step, "alternating": self.alternating_step}
        if adversarial not in schedules:
            raise ValueError(f"adversarial is {adversarial!r}; choose 'simultaneous' or 'alternating'")
        if sharing not in ("full", "embed_only"):
            raise ValueError(f"sharing is {sharing!r}; choose 'full' or 'embed_only'")
        if not 0.0 <= sample_ratio <= 1.0:
            raise ValueError(f"sample_ratio is {sample_ratio}; it must be between 0 and 1")
        self.schedule = schedules[adversarial]
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
        # How histories are laid out and encoded, and the classes of the generator's softmax.
        self.task = self._windows if padding_learns else self._histories
        self.encode: Encode = window_states if padding_learns else history_states
        self.first_class = 0 if padding_learns else 1
        self.end_class: int | None = None if padding_learns else -1

    def players(self) -> Mapping[str, list[nn.Module]]:
        """See the class."""
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
        return cast(Transformer, self.backbone).trunk

    def with_shared_rate(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """The optimizer of a player; what is shared learns at its own rate."""
        parameters = list(parameters)
        optimizer = self.given_optimizer(parameters)
        if any(p is self.backbone.item_embedding.weight for p in parameters):
            for group in optimizer.param_groups:
                group["lr"] *= self.shared_lr_multiplier
        return optimizer

    def training_step(self, batch: Batch, batch_index: int) -> None:
        """One step or two turns on a batch."""
        terms = self.schedule(self.task(batch))
        self.log_terms(batch, {"loss": self.total(terms)} | terms._asdict())

    def total(self, terms: Terms) -> Tensor:
        """The objective."""
        return self.generator_weight * terms.generator + self.discriminator_weight * terms.discriminator

    def simultaneous_step(self, task: Task) -> Terms:
        """One backward pass of the sum."""
        with self.turn(*self.players()) as step:
            states = self.generator_states(task)
            made = self.generate(states, task)
            terms = Terms(self.generator_loss(states, task), self.detection_loss(made, task))
            step(self.total(terms))
        return terms

    def alternating_step(self, task: Task) -> Terms:
        """The turns of generator and discriminator."""
        with self.turn("generator", "shared") as step:
            states = self.generator_states(task)
            made = self.generate(states, task)
            generator = self.generator_loss(states, task)
            step(generator)
        with self.turn("discriminator", "shared") as step:
            discriminator = self.detection_loss(made, task)
            step(discriminator)
        return Terms(generator, discriminator)

    def generator_states(self, task: Task) -> Tensor:
        """``(B, W, D)``."""
        return self.encode(self.generator, self.backbone.item_embedding(task.items), task.items != 0, task.learnt)

    def generator_loss(self, states: Tensor, task: Task) -> Tensor:
        """Cross entropy of the next items, the mean over learnt positions of ``(B, W, D)``."""
        classes = self.backbone.item_embedding.weight[self.first_class : self.end_class]
        return cross_entropy(states[task.learnt], classes, task.next_items[task.learnt] - self.first_class)

    @torch.no_grad()
    def generate(self, states: Tensor, task: Task) -> Tensor:
        """The discriminator's input ``(B, W)``: next items, or draws from the generator's states ``(B, W, D)``."""
        classes = self.backbone.item_embedding.weight[1 : self.end_class]
        chosen = 1 + draw(states[task.drawn], classes, task.uniform[task.drawn], self.power)
        return task.next_items.masked_scatter(task.drawn, chosen)

    def detection_loss(self, made: Tensor, task: Task) -> Tensor:
        """Binary cross entropy of which items of ``(B, W)`` are the true next ones, the mean over those known."""
        known = task.next_items != 0
        verdict = self.verdict(made, known)[known]
        return F.binary_cross_entropy_with_logits(verdict, (made == task.next_items)[known].to(verdict.dtype))

    def verdict(self, items: Tensor, wanted: Tensor) -> Tensor:
        """Logits ``(B, W)`` of being true of items ``(B, W)``, where they are wanted."""
        states = self.encode(self.discriminator, self.backbone.item_embedding(items), items != 0, wanted)
        logits: Tensor = self.head(states).squeeze(-1)
        return logits

    def _histories(self, batch: Batch) -> Task:
        """Right-padded histories as they are."""
        valid = batch.items != 0
        place = from_newest(valid)
        rolled = F.pad(batch.items[:, 1:], (0, 1))
        next_items = torch.where(place == 0, batch.target[:, None], rolled) * valid
        replaced, uniform = (
            keyed.uniform(self.keys(batch.row, view), valid.shape[1]).gather(1, place) for view in (0, 1)
        )
        return Task(batch.items, next_items, valid, valid & (replaced < self.sample_ratio), uniform)

    def _windows(self, batch: Batch) -> Task:
        """Left-padded windows; all positions learn and may get draws."""
        width = self.discriminator.max_length
        items = left_padded(batch.items, batch.items != 0, width)
        next_items = torch.cat([items[:, 1:], batch.target[:, None]], 1) * (items != 0)
        replaced, uniform = (keyed.uniform(self.keys(batch.row, view), width).flip(1) for view in (0, 1))
        return Task(items, next_items, torch.ones_like(items, dtype=torch.bool), replaced < self.sample_ratio, uniform)

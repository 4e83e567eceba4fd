"""Readings of EASNRec's similarity terms (13)-(17): whom the similarity moves which way, and of which states it is.

The paper adds ``-lambda_1 Sim`` to the generator's loss (14) and ``-lambda_2 (1 - Sim)`` to the discriminator's (16),
and both losses, weighed by lambda_4 and lambda_5, to one objective (28).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from seqrec.backbones.base import Backbone
from seqrec.methods.adversarial.generated import Generated


class Influence(NamedTuple):
    """How the mean similarity enters a backward pass.

    Attributes:
        in_generator, in_discriminator: its weights in the losses of the generator and of the discriminator.
        to_generator: factor of the gradient that is passed on to the generator.
        generator_only: the gradient moves nothing but the generator.
    """

    in_generator: float
    in_discriminator: float
    to_generator: float
    generator_only: bool = False


class Weights(NamedTuple):
    """lambda_1 and lambda_2 of the similarity, lambda_4 and lambda_5 of the losses that it is in."""

    generator_similarity: float
    discriminator_similarity: float
    generator: float
    discriminator: float


class Similarity(ABC):
    """Whom the similarity moves which way when all players step together."""

    @abstractmethod
    def influence(self, weights: Weights) -> Influence:
        """Of the weights in (14), (16) and (28)."""


class Split(Similarity):
    """Each player descends its own term: "update their parameters by minimizing their respective loss functions" (4.2).

    So the generator makes its sequences more like the real ones, and all others make the two less alike.
    """

    def influence(self, weights: Weights) -> Influence:
        """The loss has the discriminator's term; the gradient passed on to the generator is turned around."""
        own = weights.generator * weights.generator_similarity
        others = weights.discriminator * weights.discriminator_similarity
        if others > 0:
            return Influence(0.0, weights.discriminator_similarity, -own / others)
        return Influence(-weights.generator_similarity, 0.0, 1.0, generator_only=True)


class Joint(Similarity):
    """All descend (28) as printed, where both terms add up to one: ``(lambda_5 lambda_2 - lambda_4 lambda_1) Sim``.

    "By jointly optimizing the adversarial loss and the similarity loss (Eqs. (14) and (16))", "gradually enhancing the
    feature similarity between the generated and real sequences" (4.2): it grows where the coefficient is negative.

    Args:
        relaxed: the gradient reaches the generator through the items that it chose; otherwise they are constants.
    """

    def __init__(self, relaxed: bool = True) -> None:
        self.relaxed = relaxed

    def influence(self, weights: Weights) -> Influence:
        """The terms of both losses, for all."""
        return Influence(-weights.generator_similarity, weights.discriminator_similarity, float(self.relaxed))


GeneratedStates = Callable[[Generated, Tensor, Backbone, float], Tensor]
"""States ``(B, L, D)`` that stand for what the generator made.

Of that, the generator's states ``(B, L, D)``, the encoder, and the factor of the gradient to the generator.
"""


def encoded(made: Generated, states: Tensor, backbone: Backbone, to_generator: float) -> Tensor:
    """The encoder's states of S'': "the generated and real sequences are fed into a dual-branch network" (4.2.1).

    Gradient reaches the generator through the expected item at each position that it filled in.
    """
    x = backbone.item_embedding(made.items)
    if to_generator:
        x = made.relax(x, to_generator)
    return backbone.encode(x, made.items != 0)


def generator_states(made: Generated, states: Tensor, backbone: Backbone, to_generator: float) -> Tensor:
    """The generator's own states of S': ``Sn(G(S_u))`` (11) as printed, without a pass of the encoder."""
    if to_generator == 1.0:
        return states
    constant = states.detach()
    return constant + to_generator * (states - constant) if to_generator else constant

"""GeneratorDiscriminator: a generator of items and a discriminator that learn together or in turns."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Generic, Literal, Protocol, TypeVar

from torch import Tensor

from seqrec.backbones.base import Backbone
from seqrec.data.batch import Batch
from seqrec.methods.adversarial import AdversarialRecommender
from seqrec.methods.base import BuildOptimizer


class NamedLosses(Protocol):
    """A named tuple of the scalar terms of a training step."""

    def _asdict(self) -> dict[str, Any]: ...


Losses = TypeVar("Losses", bound=NamedLosses)


class GeneratorDiscriminator(AdversarialRecommender, Generic[Losses]):
    """What EASNRec, ECL-SR and ELECRec share: the choice of a schedule, and a step that logs the terms and their total.

    Args:
        backbone: histories to states.
        optimizer: builds the optimizer of each player.
        adversarial: ``simultaneous`` descends :meth:`total` in one step, ``alternating`` takes a turn for each player.
        **base: other arguments of :class:`AdversarialRecommender`.

    Raises:
        ValueError: ``adversarial`` is neither.
    """

    def __init__(
        self,
        backbone: Backbone,
        optimizer: BuildOptimizer,
        adversarial: Literal["simultaneous", "alternating"],
        **base: Any,
    ) -> None:
        super().__init__(backbone, optimizer, **base)
        if adversarial not in ("simultaneous", "alternating"):
            raise ValueError(f"adversarial is {adversarial!r}; choose 'simultaneous' or 'alternating'")
        self.simultaneous = adversarial == "simultaneous"

    @abstractmethod
    def learn(self, batch: Batch) -> Losses:
        """Take the steps of a batch, in one turn of all players or in one turn for each."""

    @abstractmethod
    def total(self, losses: Losses) -> Tensor:
        """The objective."""

    def training_step(self, batch: Batch, batch_index: int) -> None:
        """One step, or a turn for each player, on a batch."""
        losses = self.learn(batch)
        terms = {name: term for name, term in losses._asdict().items() if term is not None}
        self.log_terms(batch, {"loss": self.total(losses)} | terms)

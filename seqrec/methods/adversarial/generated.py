"""What a generator made of a batch."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from seqrec.nn.chosen import Chosen


class Generated(NamedTuple):
    """What the generator made of a batch.

    Attributes:
        items: ``(B, L)`` the generated histories S''.
        filled: the M positions that were filled in.
        mean: ``(M, D)`` the expected item vector of each, through which gradient reaches the generator.
        loss: scalar, the generator's cross entropy, without the similarity term of EASNRec's (14).
    """

    items: Tensor
    filled: Chosen
    mean: Tensor
    loss: Tensor

    def relax(self, x: Tensor, scale: float) -> Tensor:
        """Straight-through: embedded items ``(B, L, D)``, whose gradient goes to :attr:`mean` too, scaled."""
        nothing = scale * (self.mean - self.mean.detach())
        return self.filled.add(x, nothing.to(x.dtype))

"""No backbone: for methods that score from counts alone."""

from __future__ import annotations

from torch import Tensor

from seqrec.backbones.base import Backbone


class NoStates(Backbone):
    """A catalogue without vectors: states have width 0."""

    causal = True

    def __init__(self, num_items: int) -> None:
        super().__init__(num_items, dim=0)

    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.encode`."""
        return x

"""Factors: one vector an item and one a user; the backbone of BPR."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from seqrec.backbones.base import Backbone


class Factors(Backbone):
    """Matrix factorisation. Histories have no order and no state: that of an item is its own vector.

    Args:
        num_items: I.
        num_users: U.
        dim: D.
        initialise: fills a table of vectors, ``(I + 2, D)`` or ``(U, D)``, in place.

    Attributes:
        user_embedding: ``(U, D)``.
    """

    causal = True

    def __init__(
        self,
        num_items: int,
        num_users: int,
        dim: int,
        initialise: Callable[[Tensor], Tensor] = nn.init.xavier_normal_,
    ) -> None:
        super().__init__(num_items, dim)
        self.user_embedding = nn.Embedding(num_users, dim)
        initialise(self.user_embedding.weight)
        initialise(self.item_embedding.weight)
        nn.init.zeros_(self.item_embedding.weight.data[0])

    @property
    def user_matrix(self) -> Tensor:
        """Vectors of the users, ``(U, D)``."""
        return self.user_embedding.weight

    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.encode`."""
        return x

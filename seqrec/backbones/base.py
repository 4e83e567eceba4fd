"""The contract of all backbones, and the letters for shapes used everywhere.

B  batch, histories          D  width of a state
L  length of the longest     I  items of the catalogue, ids 1..I
   history in the batch      U  users

Padding (id 0) is on the right: a history fills the first columns, its newest item is its last non-zero one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn

from seqrec.functional.pooling import newest
from seqrec.nn.chosen import Chosen

Where = Tensor | Chosen | int | Literal["all", "newest"]


class Backbone(nn.Module, ABC):
    """Item histories to states.

    Attributes:
        item_embedding: ``(I + 2, D)``: padding (zero at the start, no gradient from look-ups), items, mask token.
        causal: a state depends on its own and older items only.
        reads_padding: states depend on the padding row, where the published arithmetic works on it.
        general: any method can use the states; otherwise only a method that needs this very class.

    Args:
        num_items: I.
        dim: D.
    """

    causal: bool
    reads_padding: bool = False
    general: bool = True

    def __init__(self, num_items: int, dim: int) -> None:
        super().__init__()
        self.num_items, self.dim = num_items, dim
        self.item_embedding = nn.Embedding(num_items + 2, dim, padding_idx=0)
        nn.init.normal_(self.item_embedding.weight, std=0.02)
        nn.init.zeros_(self.item_embedding.weight.data[0])

    @abstractmethod
    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        """States ``(B, L, D)`` of embedded items ``(B, L, D)`` where ``valid`` ``(B, L)`` tells items from padding."""

    def forward(self, items: Tensor, where: Where = "all") -> Tensor:
        """States of histories ``(B, L)``.

        Every pass goes through here, so that hooks, compilation and sharding see it.

        Args:
            items: ids, 0 is padding.
            where: states are asked for at ``all`` positions, at the ``newest`` items, at a number of newest ones, see
                :meth:`recent`, or at chosen ones, see :meth:`at`.

        Returns:
            ``(B, L, D)``, whose values at padding mean nothing, ``(B, D)``, ``(B, k, D)`` or ``(M, D)``.
        """
        if isinstance(where, int):
            return self._recent(items, where)
        if isinstance(where, Tensor | Chosen):
            return self._at(items, where if isinstance(where, Chosen) else Chosen(where))
        return self._newest(items) if where == "newest" else self._all(items)

    def newest(self, items: Tensor) -> Tensor:
        """States ``(B, D)`` at the newest items of histories ``(B, L)``."""
        states: Tensor = self(items, "newest")
        return states

    def newest_of(self, x: Tensor, valid: Tensor) -> Tensor:
        """States ``(B, D)`` at the newest items of embedded histories, rows of :attr:`input_table`; for scoring only.

        Args:
            x: ``(B, L, D)``; what it holds at padding means nothing.
            valid: ``(B, L)`` bool, True at items, padding on the right; no row is empty.
        """
        states = self.encode(x, valid)
        return states[torch.arange(states.shape[0], device=states.device), valid.sum(1) - 1]

    def at(self, items: Tensor, chosen: Tensor | Chosen) -> Tensor:
        """States ``(M, D)`` at chosen positions, or where ``chosen`` ``(B, L)`` is True."""
        states: Tensor = self(items, chosen)
        return states

    def recent(self, items: Tensor, window: int) -> Tensor:
        """States ``(B, k, D)`` at the newest ``window`` items, newest first, zero where a history is shorter."""
        states: Tensor = self(items, window)
        return states

    def _all(self, items: Tensor) -> Tensor:
        return self.encode(self.item_embedding(items), items != 0)

    def _newest(self, items: Tensor) -> Tensor:
        """See :meth:`newest`; a backbone may have a shorter way."""
        return self.newest_of(self.item_embedding(items), items != 0)

    def _recent(self, items: Tensor, window: int) -> Tensor:
        """See :meth:`recent`; a backbone may have a shorter way."""
        return newest(self._all(items), items != 0, window)[0]

    def _at(self, items: Tensor, chosen: Chosen) -> Tensor:
        """See :meth:`at`; a backbone may have a shorter way."""
        return chosen.of(self._all(items))

    @property
    def input_table(self) -> Tensor:
        """What histories are embedded with: vectors of padding, items and mask token, ``(I + 2, D)``."""
        return self.item_embedding.weight

    @property
    def item_matrix(self) -> Tensor:
        """Vectors of the items alone, ``(I, D)``; row ``i`` is item ``i + 1``."""
        return self.item_embedding.weight[1:-1]

    @property
    def mask_token(self) -> int:
        """The id that hides an item, I + 1."""
        return self.num_items + 1

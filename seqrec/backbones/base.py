"""The contract of all backbones, and the letters for shapes used everywhere.

B  batch, histories          D  width of a state
L  length of the longest     I  items of the catalogue, ids 1..I
   history in the batch      U  users

Padding (id 0) is on the right: a history fills the first columns, its newest item is its last non-zero one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


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

    def forward(self, items: Tensor) -> Tensor:
        """States ``(B, L, D)`` of histories ``(B, L)``; values at padding mean nothing."""
        return self.encode(self.item_embedding(items), items != 0)

    def newest(self, items: Tensor) -> Tensor:
        """States ``(B, D)`` at the newest items of histories ``(B, L)``; a backbone may have a shorter way."""
        states = self(items)
        return states[torch.arange(len(states), device=states.device), (items != 0).sum(1) - 1]

    def at(self, items: Tensor, chosen: Tensor) -> Tensor:
        """States ``(M, D)`` where ``chosen`` ``(B, L)`` is True; a backbone may have a shorter way."""
        return self(items)[chosen]

    @property
    def item_matrix(self) -> Tensor:
        """Vectors of the items alone, ``(I, D)``; row ``i`` is item ``i + 1``."""
        return self.item_embedding.weight[1:-1]

    @property
    def mask_token(self) -> int:
        """The id that hides an item, I + 1."""
        return self.num_items + 1

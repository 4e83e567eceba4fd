"""LRU backbone: linear recurrent units and feed-forward layers, without positions (LRURec).

Source: Yue et al., Linear Recurrent Units for Sequential Recommendation, WSDM 2024, as released.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.backbones.base import Backbone
from seqrec.backbones.lru.unit import LinearRecurrentUnit
from seqrec.nn.dropout import Dropout
from seqrec.nn.packing import Packing


class LRUBlock(nn.Module):
    """``a = LN(x + Drop(LRU(x)))``, then ``LN(a + Drop(W_2 Drop(gelu(W_1 a))))``.

    Args:
        dim: width D.
        state_dim: complex entries M of the state.
        ffn_dim: inner width of the feed-forward layer.
        dropout: within and after the feed-forward layer.
        recurrence_dropout: after the recurrence.
    """

    def __init__(self, dim: int, state_dim: int, ffn_dim: int, dropout: float, recurrence_dropout: float) -> None:
        super().__init__()
        self.recurrence = LinearRecurrentUnit(dim, state_dim)
        self.recurrence_norm = nn.LayerNorm(dim)
        self.ffn_in = nn.Linear(dim, ffn_dim)
        self.ffn_out = nn.Linear(ffn_dim, dim)
        self.ffn_norm = nn.LayerNorm(dim)
        self.dropout, self.recurrence_dropout = Dropout(dropout), Dropout(recurrence_dropout)

    def forward(self, tokens: Tensor, packing: Packing) -> Tensor:
        """``(N, D)`` -> ``(N, D)``."""
        return self.finish(tokens, self.recurrence(tokens, packing))

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Output ``(B, D)`` and next state ``(B, M)`` of one input ``(B, D)`` and the state before it."""
        y, state = self.recurrence.step(x, state)
        return self.finish(x, y), state

    def finish(self, x: Tensor, y: Tensor) -> Tensor:
        """What follows the recurrence, whose inputs are x and whose outputs are y, both ``(N, D)``."""
        x = self.recurrence_norm(x + self.recurrence_dropout(y))
        inner = self.dropout(F.gelu(self.ffn_in(x)))
        return self.ffn_norm(x + self.dropout(self.ffn_out(inner)))


class LRU(Backbone):
    """Blocks of linear recurrent units over item embeddings.

    The reference pads on the left and stops the recurrence at padding; with padding on the right each history simply
    starts from a state of zero. A padding position before the first item is then a history of its own: ``encode`` of
    the padding row alone.

    Args:
        num_items: I.
        dim: D.
        num_layers: blocks.
        state_dim: complex entries M of a state.
        ffn_dim: inner width of the feed-forward layers.
        dropout: of embeddings and feed-forward layers.
        recurrence_dropout: after each recurrence.
    """

    causal = True

    def __init__(
        self,
        num_items: int,
        dim: int,
        num_layers: int,
        state_dim: int,
        ffn_dim: int,
        dropout: float,
        recurrence_dropout: float,
    ) -> None:
        super().__init__(num_items, dim)
        self.state_dim = state_dim
        self.norm = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            LRUBlock(dim, state_dim, ffn_dim, dropout, recurrence_dropout) for _ in range(num_layers)
        )
        for name, parameter in self.named_parameters():
            if "norm" not in name and "ring" not in name:  # biases and the padding row too, as released
                nn.init.trunc_normal_(parameter, std=0.02, a=-0.04, b=0.04)

    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.encode`; zero at padding."""
        packing = Packing.of(valid)
        tokens = self.norm(self.dropout(packing.pack(x)))
        for block in self.blocks:
            tokens = block(tokens, packing)
        return packing.unpack(tokens)

    def step(self, items: Tensor, memory: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """One more item of each history, at a cost that does not grow with its length.

        Args:
            items: ``(B,)`` ids 1..I.
            memory: what the last call returned, ``(num_layers, B, M)`` complex; None before the first item.

        Returns:
            States ``(B, D)`` at these items, as :meth:`forward` has them, and the memory for the next call.
        """
        x = self.norm(self.dropout(self.item_embedding(items)))
        if memory is None:
            memory = x.new_zeros(len(self.blocks), x.shape[0], self.state_dim, dtype=x.dtype.to_complex())
        states = []
        for block, state in zip(self.blocks, memory, strict=True):
            assert isinstance(block, LRUBlock)
            x, state = block.step(x, state)
            states.append(state)
        return x, torch.stack(states)

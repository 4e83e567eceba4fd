"""xLSTM backbone: a long and a short stream and a gate between them (xLSTM-LSR, our reconstruction).

Sun et al., Lifelong long sequence recommendation method based on matrix and hybrid mechanism dual-stream long
short-term memory network (in Chinese), Chinese Journal of Computers 48(12), 2025, has neither code nor an
accessible text. Known are its title and a sentence on it in EASNRec's paper. Chosen here: the matrix mechanism is
mLSTM over the whole history, the hybrid one (memory mixing) sLSTM over the newest items, a gate fuses both. The
blocks are those of Beck et al., xLSTM: Extended Long Short-Term Memory, NeurIPS 2024.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from seqrec.backbones.base import Backbone
from seqrec.backbones.xlstm.blocks import MLSTMBlock, MLSTMState, Norm, SLSTMBlock
from seqrec.functional.chunks import rows_at_a_time
from seqrec.nn.dropout import Dropout
from seqrec.nn.packing import Packing, static_shapes

CACHED_ELEMENTS = 1 << 18  # of the windows that are processed together on the CPU, so that a step stays in the cache
KEPT_ELEMENTS = 1 << 24  # of all windows whose steps are stored for the gradient (about 1 GB); more are recomputed


class XLSTMState(NamedTuple):
    """What :meth:`XLSTM.step` remembers: a state for each mLSTM block, the newest embedded items ``(B, <= K, D)``."""

    long: list[MLSTMState]
    recent: Tensor


class XLSTM(Backbone):
    """``g * u_long + (1 - g) * u_short`` with ``g = sigmoid(W [u_long; u_short] + b)``, at each position.

    u_long is the state of an mLSTM stack that has read the history, u_short that of an sLSTM stack that has read
    its newest K items only.

    Args:
        num_items: I.
        dim: D.
        long_layers, short_layers: blocks of the two streams.
        num_heads: of both kinds of cells.
        inner_dim: width within the mLSTM blocks.
        ffn_dim: inner width of the feed-forward layers, which only sLSTM blocks have.
        short_window: K.
        kernel_size: of the causal convolutions.
        group_size: of the block-diagonal queries, keys and values.
        dropout: of embeddings and blocks.
    """

    causal = True

    def __init__(
        self,
        num_items: int,
        dim: int,
        long_layers: int,
        short_layers: int,
        num_heads: int,
        inner_dim: int,
        ffn_dim: int,
        short_window: int,
        kernel_size: int,
        group_size: int,
        dropout: float,
    ) -> None:
        super().__init__(num_items, dim)
        if short_window < 1:
            raise ValueError(f"short_window is {short_window}; the short stream needs at least 1 item")
        self.short_window = short_window
        self.dropout = Dropout(dropout)
        self.long_blocks = nn.ModuleList(
            MLSTMBlock(dim, inner_dim, num_heads, kernel_size, group_size, dropout, long_layers)
            for _ in range(long_layers)
        )
        self.short_blocks = nn.ModuleList(
            SLSTMBlock(dim, num_heads, kernel_size, ffn_dim, dropout, index, short_layers)
            for index in range(short_layers)
        )
        self.long_norm, self.short_norm = Norm(dim), Norm(dim)
        self.gate = nn.Linear(2 * dim, dim)
        nn.init.normal_(self.gate.weight, std=0.02)
        nn.init.zeros_(self.gate.bias)

    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.encode`; zero at padding."""
        packing, place, tokens = self.packed(x, valid)
        every = torch.arange(tokens.shape[0], device=tokens.device)
        short = self.short_states(tokens, every, place)
        return packing.unpack(self.fuse(self.long_states(tokens, packing, place), short))

    def _newest(self, items: Tensor) -> Tensor:
        """States ``(B, D)`` at the newest item of each history; the short stream runs there only."""
        packing, place, tokens = self.packed(self.item_embedding(items), items != 0)
        last = (items != 0).sum(1) - 1
        where = torch.empty(items.shape, dtype=torch.int64, device=items.device)
        where.view(-1)[packing.index] = torch.arange(tokens.shape[0], device=items.device)
        chosen = where.gather(1, last[:, None])[:, 0]
        long = self.long_states(tokens, packing, place)[chosen]
        return self.fuse(long, self.short_states(tokens, chosen, last))

    def packed(self, x: Tensor, valid: Tensor) -> tuple[Packing, Tensor, Tensor]:
        """How embedded items ``(B, L, D)`` are packed, their places ``(N,)`` from the oldest, tokens ``(N, D)``."""
        packing = Packing.of(valid)
        place = packing.pack(torch.arange(valid.shape[1], device=valid.device).expand(valid.shape))
        return packing, place, self.dropout(packing.pack(x))

    def long_states(self, tokens: Tensor, packing: Packing, place: Tensor) -> Tensor:
        """The long stream: packed tokens ``(N, D)`` -> ``(N, D)``."""
        for block in self.long_blocks:
            tokens = block(tokens, packing, place)
        return self.long_norm(tokens)

    def short_states(self, tokens: Tensor, chosen: Tensor, place: Tensor) -> Tensor:
        """The short stream of the windows that end at some tokens.

        Args:
            tokens: ``(N, D)`` packed.
            chosen: ``(A,)`` which of them.
            place: ``(A,)`` their places in their histories.

        Returns:
            ``(A, D)``.
        """
        order = torch.argsort(place.clamp(max=self.short_window - 1))  # similar windows together
        rows = rows_at_a_time(self.short_window * self.dim, CACHED_ELEMENTS, tokens)
        run = self.read_windows
        if torch.is_grad_enabled() and chosen.shape[0] * self.short_window * self.dim > KEPT_ELEMENTS:
            run = partial(checkpoint, self.read_windows, use_reentrant=False)
        parts = zip(chosen[order].split(rows), place[order].split(rows), strict=True)
        states = torch.cat([run(tokens, newest, last) for newest, last in parts])
        return states.new_empty(states.shape).index_copy(0, order, states)

    def read_windows(self, tokens: Tensor, newest: Tensor, place: Tensor) -> Tensor:
        """:meth:`short_states` in one piece."""
        older = place.clamp(max=self.short_window - 1)
        width = self.short_window if static_shapes(older) else int(older.max()) + 1
        index = windows(newest, older, width)
        return self.read(tokens.index_select(0, index.flatten()).view(*index.shape, -1), older)

    def read(self, x: Tensor, last: Tensor) -> Tensor:
        """Short-stream states ``(A, D)`` at columns ``last`` ``(A,)`` of embedded windows ``(A, K, D)``."""
        *blocks, final = self.short_blocks
        for block in blocks:
            x = block(x)
        return self.short_norm(final(x, last))

    def fuse(self, long: Tensor, short: Tensor) -> Tensor:
        """States of both streams, gated; all ``(..., D)``."""
        gate = torch.sigmoid(self.gate(torch.cat([long, short], -1)))
        return short + gate * (long - short)

    def step(self, items: Tensor, state: XLSTMState | None = None) -> tuple[Tensor, XLSTMState]:
        """One more item of each history, at a cost that does not grow with its length.

        Args:
            items: ``(B,)`` ids 1..I.
            state: what the last call returned; None before the first item.

        Returns:
            States ``(B, D)`` at these items, as :meth:`forward` has them, and the state for the next call.
        """
        x = self.dropout(self.item_embedding(items))
        recent = x[:, None] if state is None else torch.cat([state.recent, x[:, None]], 1)[:, -self.short_window :]
        short = self.read(recent, items.new_full(items.shape, recent.shape[1] - 1))
        states = []
        for i, block in enumerate(self.long_blocks):
            assert isinstance(block, MLSTMBlock)
            x, kept = block.step(x, None if state is None else state.long[i])
            states.append(kept)
        return self.fuse(self.long_norm(x), short), XLSTMState(states, recent)


def windows(newest: Tensor, older: Tensor, width: int) -> Tensor:
    """Indices ``(A, width)`` of the tokens ``newest - older .. newest``; further columns repeat the newest.

    Args:
        newest, older: ``(A,)``.
        width: above every ``older``.
    """
    column = torch.arange(width, device=newest.device)
    return (newest - older)[:, None] + torch.minimum(column, older[:, None])

"""TransformerTrunk: positions, post-norm layers and optional memories; embeddings to states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.nn.attention import AttentionKernel, SelfAttention
from seqrec.nn.dropout import Dropout
from seqrec.nn.few_rows import look_up
from seqrec.nn.packing import Packing

Positions = Literal["from_oldest", "from_newest"]
MemoryLayers = Literal["last", "every"]


class TransformerLayer(nn.Module):
    """``a = LN(x + Drop(W_o attention(x)))``, then ``LN(a + Drop(W_2 gelu(W_1 a)))``; all linear maps have biases."""

    def __init__(self, dim: int, ffn_dim: int, dropout: float, norm_eps: float, attention: SelfAttention) -> None:
        super().__init__()
        self.attention = attention
        self.output = nn.Linear(dim, dim)
        self.attention_norm = nn.LayerNorm(dim, norm_eps)
        self.ffn_in = nn.Linear(dim, ffn_dim)
        self.ffn_out = nn.Linear(ffn_dim, dim)
        self.ffn_norm = nn.LayerNorm(dim, norm_eps)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, packing: Packing, newest: bool = False) -> Tensor:
        """``(N, D)`` -> ``(N, D)``, or ``(B, D)`` of the newest items alone, longest history first."""
        own = tokens.index_select(0, packing.newest) if newest else tokens
        return self.refine(own, self.attention(tokens, packing, newest))

    def at(self, tokens: Tensor, packing: Packing, places: Tensor) -> Tensor:
        """``(N, D)`` -> ``(M, D)`` at ``places`` ``(M,)`` alone."""
        return self.refine(tokens.index_select(0, places), self.attention.at(tokens, packing, places))

    def refine(self, tokens: Tensor, context: Tensor) -> Tensor:
        """The layer after its attention: tokens and contexts ``(..., D)`` -> ``(..., D)``."""
        tokens = self.attention_norm(tokens + self.dropout(self.output(context)))
        return self.ffn_norm(tokens + self.dropout(self.ffn_out(F.gelu(self.ffn_in(tokens)))))


class TransformerTrunk(nn.Module):
    """Post-norm Transformer over embedded histories, BERT style (SASRec in RecBole, EASNRec section 4).

    Args:
        dim: width D.
        max_length: longest history L.
        num_layers, num_heads, ffn_dim: size of the layers.
        dropout: after the embedding and each sub-layer.
        attention_dropout: on attention weights.
        attention: builds the kernel of a layer, see :mod:`seqrec.nn.attention`.
        causal: whether a position sees only what is not newer.
        positions: ``from_oldest`` numbers the oldest kept item 0; ``from_newest`` gives the newest item the
            last number, ``max_length - 1``.
        memory: builds a module of ``dim`` that refines the packed states of a layer, or None.
        memory_layers: a memory after the ``last`` layer, or one of its own after ``every`` layer.
        norm_eps: of every layer norm.
    """

    def __init__(
        self,
        dim: int,
        max_length: int,
        num_layers: int,
        num_heads: int,
        ffn_dim: int,
        dropout: float,
        attention_dropout: float,
        attention: AttentionKernel,
        causal: bool,
        positions: Positions,
        memory: Callable[[int], nn.Module] | None = None,
        norm_eps: float = 1e-12,
        memory_layers: MemoryLayers = "last",
    ) -> None:
        super().__init__()
        if memory_layers not in ("last", "every"):
            raise ValueError(f"memory_layers is {memory_layers!r}; choose 'last' or 'every'")
        if positions not in ("from_oldest", "from_newest"):
            raise ValueError(f"positions is {positions!r}; choose 'from_oldest' or 'from_newest'")
        self.max_length, self.from_newest, self.causal = max_length, positions == "from_newest", causal
        self.position = nn.Embedding(max_length, dim)
        self.norm = nn.LayerNorm(dim, norm_eps)
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(
            TransformerLayer(dim, ffn_dim, dropout, norm_eps, attention(dim, num_heads, attention_dropout, causal))
            for _ in range(num_layers)
        )
        self.apply(initialise)
        self.memory = memory(dim) if memory is not None else nn.Identity()
        inner = num_layers - 1 if memory is not None and memory_layers == "every" else 0
        self.inner_memories = nn.ModuleList(memory(dim) for _ in range(inner) if memory is not None)

    def forward(self, x: Tensor, where: Tensor | Packing, newest: bool = False, places: Tensor | None = None) -> Tensor:
        """States of embedded items.

        Every pass goes through here, so that hooks, compilation and sharding see it.

        Args:
            x: ``(B, L, D)``, or ``(N, D)`` packed.
            where: validity ``(B, L)`` of the former, packing of the latter.
            newest: of packed items, the newest alone are asked for, so the last layer works on them alone.
            places: of packed items, those at these M places alone are asked for. The last layer and its memory work on
                them alone, so a memory must not be about to learn from this pass.

        Returns:
            ``(B, L, D)``, zero at padding; of packed items ``(N, D)``, ``(B, D)`` of the newest, or ``(M, D)``.
        """
        if isinstance(where, Packing):
            return self._newest(x, where) if newest else self._states(x, where, places)
        packing = Packing.of(where)
        return packing.unpack(self._states(packing.pack(x), packing))

    def _states(self, x: Tensor, packing: Packing, places: Tensor | None = None) -> Tensor:
        """States ``(N, D)`` of embedded items ``(N, D)``, or ``(M, D)`` at some places alone."""
        tokens, last = self._inner(x, packing), cast(TransformerLayer, self.layers[-1])
        refined: Tensor = self.memory(last(tokens, packing) if places is None else last.at(tokens, packing, places))
        return refined

    def _inner(self, x: Tensor, packing: Packing) -> Tensor:
        """Input ``(N, D)`` of the last layer."""
        tokens = self._embedded(x, packing)
        for i, layer in enumerate(self.layers[:-1]):
            tokens = layer(tokens, packing)
            if len(self.inner_memories):
                tokens = self.inner_memories[i](tokens)
        return tokens

    def _newest(self, x: Tensor, packing: Packing) -> Tensor:
        """States ``(B, D)`` of the newest items of embedded items ``(N, D)``."""
        if self.training and not isinstance(self.memory, nn.Identity):  # a memory learns from all states
            return packing.in_batch_order(self._states(x, packing).index_select(0, packing.newest))
        tokens = self._inner(x, packing)
        return packing.in_batch_order(self.memory(self.layers[-1](tokens, packing, newest=True)))

    def _embedded(self, x: Tensor, packing: Packing) -> Tensor:
        """Items and positions, normalised: ``(N, D)`` -> ``(N, D)``."""
        valid = packing.valid
        length = valid.shape[1]
        if length > self.max_length:
            raise ValueError(
                f"a history of {length} items does not fit max_length={self.max_length}; keep its newest items "
                "or build the model with a larger max_length"
            )
        first = self.max_length if self.from_newest else 0
        place = torch.arange(first, first + length, device=valid.device).expand(valid.shape)
        if self.from_newest:
            place = (place - valid.sum(1, keepdim=True)).clamp(max=self.max_length - 1)
        position = look_up(self.position.weight, packing.pack(place))
        embedded: Tensor = self.dropout(self.norm(x + position))
        return embedded


def initialise(module: nn.Module) -> None:
    """Weights from N(0, 0.02), biases 0; norms keep 1 and 0."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)

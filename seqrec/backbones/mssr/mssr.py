"""MSSR's network: a stream of items and a stream of their attributes, whose attention mixes all pairs of sources."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.backbones.base import Backbone
from seqrec.backbones.mssr.pair_scores import NORM_EPS, PairScores, ScoredBlock, Sources
from seqrec.nn.dropout import Dropout
from seqrec.nn.packing import Packing
from seqrec.nn.trunk import initialise

_HIDDEN = -10000.0  # added to the scores of keys that a query may not see
_RATIO, _SHORT = 1.5, 2  # of the groups of histories that are encoded together

Vectors = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Vectors ``(M, D)`` of items and ``(M, E)`` of their attributes, at places ``(M,)`` of a flattened batch ``(B, L)``.

Place B * L is padding.
"""


class MSSREncoder(Backbone):
    """States of both streams side by side, E more columns than D.

    Source: Lin et al., Multi-Sequence Attentive User Representation Learning for Side-information Integrated
    Sequential Recommendation, WSDM 2024, as released: the attribute stream is read after its first layer, and the
    vectors of the attributes are never trained. Padding, on the right, and newer items enter the gate that fuses
    scores, so windows learn at the newest position only. All columns to the right of the longest history of a batch
    hold the same and are computed once (under dropout, with the same noise).

    Args:
        num_items: I.
        num_attributes: T, attributes ``1..T`` of all items.
        attributes_per_item: A.
        max_length: columns of a window.
        dim: D, width of the item stream.
        attribute_dim: E, width of the attribute stream.
        num_layers, num_heads, ffn_dim: sizes, of both streams.
        dropout: after the embedding and each part of a layer.
        attention_dropout: on attention weights.

    Attributes:
        attributes: ``(I + 2, A)`` int64, attributes of each item, 0 where it has fewer; filled in from the data.
        attribute_table: ``(T + 1, E)``, vectors of the attributes; row 0 is not used.
    """

    causal = False
    reads_padding = True
    general = False
    attributes: Tensor
    attribute_table: Tensor

    def __init__(
        self,
        num_items: int,
        num_attributes: int,
        attributes_per_item: int,
        max_length: int,
        dim: int,
        attribute_dim: int,
        num_layers: int,
        num_heads: int,
        ffn_dim: int,
        dropout: float,
        attention_dropout: float,
    ) -> None:
        super().__init__(num_items, dim)
        self.max_length, self.attribute_dim, self.num_attributes = max_length, attribute_dim, num_attributes
        self.register_buffer("attributes", torch.zeros(num_items + 2, attributes_per_item, dtype=torch.int64))
        self.register_buffer("attribute_table", torch.randn(num_attributes + 1, attribute_dim))
        self.position = nn.Embedding(max_length, dim)
        self.norm = nn.LayerNorm(dim, NORM_EPS)
        self.dropout = Dropout(dropout)
        self.scores = nn.ModuleList(PairScores(dim, attribute_dim, num_heads, max_length) for _ in range(num_layers))
        sizes = (num_heads, ffn_dim, (dim // num_heads) ** -0.5, dropout, attention_dropout)
        self.item_blocks = nn.ModuleList(ScoredBlock(dim, *sizes) for _ in range(num_layers))
        self.attribute_block = ScoredBlock(attribute_dim, *sizes)
        self.apply(initialise)
        # Logits of the pairs' weights, by source of query and of key; no item takes part in the attribute stream.
        self.item_pairs = nn.Parameter(torch.ones(3, 3))
        self.attribute_pairs = nn.Parameter(torch.ones(2, 2))

    @property
    def attribute_matrix(self) -> Tensor:
        """Mean of the attributes' vectors of each item, ``(I + 2, E)``; zero for an item without any."""
        return F.embedding_bag(self.attributes, self.attribute_table, mode="mean", padding_idx=0)

    @property
    def input_table(self) -> Tensor:
        """See :attr:`table`."""
        return self.table

    @property
    def table(self) -> Tensor:
        """Vectors of padding, items and mask and those of their attributes side by side, ``(I + 2, D + E)``."""
        return torch.cat([self.item_embedding.weight, self.attribute_matrix], dim=1)

    @property
    def item_matrix(self) -> Tensor:
        """``(I, D + E)``; row ``i`` is item ``i + 1``."""
        return self.table[1:-1]

    def _all(self, items: Tensor) -> Tensor:
        """States ``(B, L, D + E)`` of histories ``(B, L)``."""
        return self._by_length(items != 0, self._looked_up(items), newest=False)

    def _newest(self, items: Tensor) -> Tensor:
        """See :meth:`Backbone.newest`; the last layer, and all of the attribute stream, work on those items alone."""
        return self._by_length(items != 0, self._looked_up(items), newest=True)

    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        """As :meth:`Backbone.encode`; vectors of items and of their attributes are side by side in x and states."""
        padding = F.pad(self.item_embedding.weight[:1].detach().to(x.dtype), (0, self.attribute_dim))
        rows = torch.cat([x.flatten(0, 1), padding])
        return self._by_length(valid, lambda place: self._parts(rows[place]), newest=False)

    def _parts(self, both: Tensor) -> tuple[Tensor, Tensor]:
        item, attribute = both.split((self.dim, self.attribute_dim), dim=-1)
        return item, attribute

    def _looked_up(self, items: Tensor) -> Vectors:
        flat, attributes = F.pad(items.flatten(), (0, 1)), self.attribute_matrix
        return lambda place: (self.item_embedding(flat[place]), F.embedding(flat[place], attributes))

    def _by_length(self, valid: Tensor, vectors: Vectors, newest: bool) -> Tensor:
        """States of rows of similar length at a time: ``(B, D + E)`` of the newest items, or ``(B, L, D + E)``."""
        length = valid.shape[1]
        if length > self.max_length:
            raise ValueError(
                f"a history of {length} items does not fit max_length={self.max_length}; keep its newest items or "
                "build the model with a larger max_length"
            )
        packing, padding = Packing.of(valid, _RATIO, _SHORT), valid.numel()
        place = torch.arange(padding, device=valid.device).view_as(valid).masked_fill(~valid, padding)
        place = F.pad(place, (0, 1), value=padding)[packing.order]
        groups = zip(place.split([rows for rows, _ in packing.groups]), packing.groups, strict=True)
        places = [rows[:, : min(width + 1, self.max_length)] for rows, (_, width) in groups]
        sizes = [some.numel() for some in places]
        both = [x.split(sizes) for x in vectors(torch.cat([some.flatten() for some in places]))]
        states = [
            self._states(items.unflatten(0, some.shape), attributes.unflatten(0, some.shape), some != padding, newest)
            for some, items, attributes in zip(places, *both, strict=True)
        ]
        if not newest:
            states = [F.pad(some, (0, 0, 0, length - some.shape[1])) for some in states]
        return packing.in_batch_order(torch.cat(states))

    def _states(self, items: Tensor, attributes: Tensor, valid: Tensor, newest: bool) -> Tensor:
        """States ``(B, D + E)`` of the newest items, or ``(B, W, D + E)``, of windows whose last column is padding.

        In windows of ``max_length`` columns the last may hold an item.
        """
        last, column = valid.sum(1) - 1, torch.arange(valid.shape[1], device=valid.device)
        place = torch.where(valid, last[:, None] - column, 0)  # the newest item is 0, and so is padding
        source = Sources(self.dropout(self.norm(items)), attributes, place)
        hidden = ~valid[:, None, None, :] | (column > column[:, None])  # (B, 1, W, W)
        mask = torch.zeros(hidden.shape, dtype=items.dtype, device=items.device).masked_fill_(hidden, _HIDDEN)
        own_mask = mask[torch.arange(last.shape[0], device=last.device), :, last][:, :, None]  # of the newest items
        attribute_states = attributes
        all_pairs = cast("list[PairScores]", list(self.scores))
        for layer, (pairs, block) in enumerate(zip(all_pairs, self.item_blocks, strict=True)):
            alone = newest and layer == len(self.scores) - 1
            queries = source.at(last) if alone else source
            scores = pairs(queries, source, self.position.weight)
            if layer == 0:
                own = scores[:, :, 1:, 1:]  # of attributes and positions
                if newest and not alone:
                    own = own[torch.arange(own.shape[0], device=own.device), ..., last, :].unsqueeze(-2)
                fused = pairs.fuse(own, _pair_weights(self.attribute_pairs))
                query = source.at(last).attributes if newest else attributes
                attribute_states = self.attribute_block(query, attributes, fused, own_mask if newest else mask)
            fused = pairs.fuse(scores, _pair_weights(self.item_pairs))
            states = block(queries.items, source.items, fused, own_mask if alone else mask)
            source = source._replace(items=states)
        both = torch.cat([source.items, attribute_states], dim=-1)
        return both[:, 0] if newest else both


def _pair_weights(logits: Tensor) -> Tensor:
    """Softmax over all pairs."""
    return logits.flatten().softmax(0).view_as(logits)

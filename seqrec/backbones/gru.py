"""GRU backbone: GRU4Rec."""

from __future__ import annotations

from torch import Tensor, nn

from seqrec.backbones.base import Backbone
from seqrec.nn.dropout import Dropout
from seqrec.nn.packing import Packing


class GRU(Backbone):
    """Stacked gated recurrent units without biases, and a linear map of their states to the width of the items.

    Sources: Hidasi et al., Session-based Recommendations with Recurrent Neural Networks, ICLR 2016; Tan, Xu and
    Liu, Improved Recurrent Neural Networks for Session-based Recommendations, DLRS 2016; in RecBole's form.

    Args:
        num_items: I.
        dim: width D of items and states.
        hidden_dim: width of the recurrent states.
        num_layers: recurrent layers.
        dropout: on embedded items; there is none between layers.
    """

    causal = True

    def __init__(self, num_items: int, dim: int, hidden_dim: int, num_layers: int, dropout: float) -> None:
        super().__init__(num_items, dim)
        self.dropout = Dropout(dropout)
        self.gru = nn.GRU(dim, hidden_dim, num_layers, bias=False, batch_first=True)
        self.output = nn.Linear(hidden_dim, dim)
        nn.init.xavier_normal_(self.item_embedding.weight)
        nn.init.zeros_(self.item_embedding.weight.data[0])
        for weight in self.gru.all_weights[0]:  # deeper layers keep the library's
            nn.init.xavier_uniform_(weight)

    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.encode`; padding is newer than all items, so the recurrence never reads it."""
        packing = Packing.of(valid)
        tokens = self.dropout(packing.pack(x))
        return packing.unpack(self.output(packing.by_length(self._recur, tokens)))

    def _recur(self, x: Tensor, valid: Tensor) -> Tensor:
        states: Tensor = self.gru(x)[0]
        return states

"""GraphTransformer: item vectors smoothed over the items' graph, and a Transformer over them (MAERec)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.backbones.base import Backbone
from seqrec.nn.graph import Adjacency, layers, normalised
from seqrec.nn.packing import Packing
from seqrec.nn.pre_norm import PreNormTrunk


class GraphTransformer(Backbone):
    """The item table is ``sum of E_0 .. E_G``, with ``E_0`` the embedding and each next layer a mean of neighbours.

    Padding is a node too, joined to itself only. The graph comes from the training histories, see :meth:`connect`;
    it is not part of the weights.

    Args:
        num_items: I; the graph has V = I + 1 nodes.
        max_length: longest history.
        dim: D.
        num_graph_layers: G.
        num_layers, num_heads, ffn_dim: size of the Transformer.
        dropout: of its layers.
        embedding_dropout: on items and positions.
    """

    causal = False
    general = False
    rows: Tensor
    cols: Tensor
    offsets: Tensor
    values: Tensor

    def __init__(
        self,
        num_items: int,
        max_length: int,
        dim: int,
        num_graph_layers: int,
        num_layers: int,
        num_heads: int,
        ffn_dim: int,
        dropout: float,
        embedding_dropout: float,
    ) -> None:
        super().__init__(num_items, dim)
        self.num_graph_layers = num_graph_layers
        nn.init.xavier_uniform_(self.item_embedding.weight.data[:-1])
        self.trunk = PreNormTrunk(
            dim, max_length, num_layers, num_heads, ffn_dim, dropout, embedding_dropout, nn.LayerNorm, F.gelu
        )
        nn.init.normal_(self.trunk.position.weight, std=0.02)
        for name in ("rows", "cols", "offsets"):
            self.register_buffer(name, torch.zeros(0, dtype=torch.int64), persistent=False)
        self.register_buffer("values", torch.zeros(0), persistent=False)
        self._held: Tensor | None = None

    def connect(self, rows: Tensor, cols: Tensor) -> None:
        """Set the graph: edges ``(E,)`` in both directions and loops, sorted by ``cols``, then ``rows``."""
        weight = self.item_embedding.weight
        self.rows, self.cols = rows.to(weight.device), cols.to(weight.device)
        self.offsets, _, self.values = normalised(self.rows, self.cols, self.num_items + 1, weight.dtype)

    @property
    def nodes(self) -> Tensor:
        """E_0 ``(V, D)``: vectors of padding and the items."""
        return self.item_embedding.weight[:-1]

    def layers(self, adjacency: Adjacency) -> list[Tensor]:
        """E_0 .. E_G, each ``(V, D)``, on a graph."""
        return layers(adjacency, self.nodes, self.num_graph_layers)

    def table(self) -> Tensor:
        """Vectors ``(V, D)`` of padding and the items on the whole graph."""
        if self._held is not None:
            return self._held
        if not len(self.rows):
            raise ValueError("the item graph is missing; build it from the training histories and call connect")
        return torch.stack(self.layers(Adjacency(self.offsets, self.rows, self.values))).sum(0)

    @property
    def input_table(self) -> Tensor:
        """See :attr:`Backbone.input_table`; on the whole graph, to which the mask token does not belong."""
        return torch.cat([self.table(), self.item_embedding.weight[-1:]])

    @property
    def item_matrix(self) -> Tensor:
        """See :attr:`Backbone.item_matrix`; on the whole graph."""
        return self.table()[1:]

    def hold(self) -> None:
        """Keep the present table until :meth:`release`: the weights do not change during an evaluation."""
        self._held = None
        self._held = self.table().detach()

    def release(self) -> None:
        """See :meth:`hold`."""
        self._held = None

    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.encode`."""
        packing = Packing.of(valid)
        return packing.unpack(self.trunk(packing.pack(x), packing))

    def _all(self, items: Tensor) -> Tensor:
        return self.encode(F.embedding(items, self.table()), items != 0)

    def _newest(self, items: Tensor) -> Tensor:
        """See :meth:`Backbone.newest`; the last layer works on the newest items alone."""
        packing = Packing.of(items != 0)
        states: Tensor = self.trunk(F.embedding(packing.pack(items), self.table()), packing, newest=True)
        return states

    def newest_of(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.newest_of`."""
        packing = Packing.of(valid)
        states: Tensor = self.trunk(packing.pack(x), packing, newest=True)
        return states

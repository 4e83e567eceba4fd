"""BSARec's backbone: causal attention, and a filter over the whole padded window that is not causal."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.backbones.base import Backbone
from seqrec.backbones.bsarec.frequency import FrequencyBranch, FrequencyLayer, WindowAttention
from seqrec.nn.dropout import Dropout
from seqrec.nn.trunk import initialise
from seqrec.nn.window_mask import window_mask

NORM_EPS = 1e-12


class BSARec(Backbone):
    """Layers of :mod:`~seqrec.backbones.bsarec.frequency` on windows of ``max_length`` positions.

    A state depends on newer items too, so only the newest one may learn the item that follows. Padding has a
    vector of its own, the item table's row 0; it is random at first and learns as a class of the softmax only.

    Args:
        num_items: I.
        max_length: positions of a window.
        dim: D.
        num_layers, num_heads, ffn_dim: size of the layers.
        dropout: after the embedding and each part of a layer.
        attention_dropout: on attention weights.
        frequency_weight: alpha, weight of the frequency branch; 0 is SASRec.
        cutoff: c; the ``c // 2 + 1`` lowest frequencies pass the filter unscaled.
    """

    causal = False
    reads_padding = True

    def __init__(
        self,
        num_items: int,
        max_length: int,
        dim: int,
        num_layers: int,
        num_heads: int,
        ffn_dim: int,
        dropout: float,
        attention_dropout: float,
        frequency_weight: float,
        cutoff: int,
    ) -> None:
        super().__init__(num_items, dim)
        nn.init.normal_(self.item_embedding.weight.data[0], std=0.02)
        self.max_length = max_length
        self.position = nn.Embedding(max_length, dim)
        self.norm = nn.LayerNorm(dim, NORM_EPS)
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(
            FrequencyLayer(
                FrequencyBranch(dim, max_length, cutoff, dropout, NORM_EPS),
                WindowAttention(dim, num_heads, dropout, attention_dropout, NORM_EPS),
                frequency_weight,
                ffn_dim,
                dropout,
                NORM_EPS,
            )
            for _ in range(num_layers)
        )
        initialise(self.position)
        self.layers.apply(initialise)
        betas = [p for name, p in self.layers.named_parameters() if name.endswith("sqrt_beta")]
        for beta in betas:
            beta.data.copy_(betas[0].data)

    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.encode`."""
        length, place = valid.shape[1], self._places(valid)
        padding = self.item_embedding.weight[0].detach().to(x.dtype)
        x = torch.where(valid[..., None], x, padding)
        x = torch.cat([x, padding.expand(x.shape[0], self.max_length - length, -1)], dim=1)
        moved = place[..., None].expand(-1, -1, x.shape[-1])
        states = self.states(x.gather(1, moved), F.pad(valid, (0, self.max_length - length)).gather(1, place))
        return torch.empty_like(states).scatter(1, moved, states)[:, :length]

    def _newest(self, items: Tensor) -> Tensor:
        """See :meth:`Backbone.newest`; the last layer works on the newest position alone. Histories may be empty."""
        valid = items != 0
        window = F.pad(items, (0, self.max_length - items.shape[1])).gather(1, self._places(valid))
        return self.states(self.item_embedding(window), window != 0, newest=1)[:, 0]

    def states(self, x: Tensor, valid: Tensor, newest: int | None = None) -> Tensor:
        """States of the last ``newest`` positions, by default of all, of left-padded windows.

        Args:
            x: ``(B, W, D)`` embedded items and padding.
            valid: ``(B, W)`` bool, False at padding.
            newest: how many.
        """
        x = self.dropout(self.norm(x + self.position.weight))
        mask = window_mask(valid)
        for layer in self.layers[:-1]:
            x = layer(x, mask, self.max_length)
        states: Tensor = self.layers[-1](x, mask, newest or self.max_length)
        return states

    def _places(self, valid: Tensor) -> Tensor:
        """Columns ``(B, W)`` of right-padded histories, in the order of a left-padded window."""
        if valid.shape[1] > self.max_length:
            raise ValueError(
                f"a history of {valid.shape[1]} items does not fit max_length={self.max_length}; keep its newest "
                "items or build the model with a larger max_length"
            )
        return (torch.arange(self.max_length, device=valid.device) + valid.sum(1, keepdim=True)) % self.max_length

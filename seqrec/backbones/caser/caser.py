"""Caser's network: convolutions over the embedded history as an image, and the user's own vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqrec.backbones.base import Backbone
from seqrec.backbones.caser.image_filters import HorizontalFilters, VerticalFilters
from seqrec.nn.dropout import Dropout
from seqrec.nn.packing import Packing


class CaserEncoder(Backbone):
    """One vector a history: filters over its image, a hidden layer, the user's vector, an output layer.

    Source: Tang and Wang, Personalized Top-N Sequential Recommendation via Convolutional Sequence Embedding, WSDM
    2018, in RecBole's form: the image has ``max_length`` rows, padding below the items is part of it, and states
    are not negative. There is one vector for all positions, which sees the whole history: not causal.

    Args:
        num_items: I.
        num_users: U.
        max_length: rows of the image, L.
        dim: D.
        num_horizontal: filters of each height 1..L.
        num_vertical: vertical filters.
        dropout: on the filters' responses.
    """

    causal = False
    reads_padding = True

    def __init__(
        self,
        num_items: int,
        num_users: int,
        max_length: int,
        dim: int,
        num_horizontal: int,
        num_vertical: int,
        dropout: float,
    ) -> None:
        super().__init__(num_items, dim)
        self.max_length = max_length
        self.user_embedding = nn.Embedding(num_users + 1, dim)  # row 0: an unknown user
        self.vertical = VerticalFilters(max_length, num_vertical)
        self.horizontal = HorizontalFilters(max_length, dim, num_horizontal)
        self.dropout = Dropout(dropout)
        self.hidden = nn.Linear(num_vertical * dim + num_horizontal * max_length, dim)
        self.output = nn.Linear(2 * dim, dim)
        for table in (self.user_embedding, self.item_embedding):  # padding too
            nn.init.normal_(table.weight, std=1 / dim)
        for layer in (self.hidden, self.output):
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, items: Tensor, user: Tensor | None = None) -> Tensor:
        """Each history's one vector at all of its positions, ``(B, L, D)``; arguments as in :meth:`newest`."""
        return self.newest(items, user)[:, None].expand(-1, items.shape[1], -1)

    def newest(self, items: Tensor, user: Tensor | None = None) -> Tensor:
        """Vectors ``(B, D)`` of histories ``(B, L)``.

        Args:
            items: ids, 0 is padding.
            user: ``(B,)`` numbers 0..U-1; None where they are unknown.

        Raises:
            ValueError: a history is longer than the image.
        """
        valid = items != 0
        x = self.encode(self.item_embedding(items), valid)
        number = items.new_zeros(len(items)) if user is None else user + 1
        vector: Tensor = self.output(torch.cat([x, self.user_embedding(number)], dim=1))
        return torch.relu(vector)

    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        """Vectors ``(B, D)``, before the user enters, of embedded items ``(B, L, D)``.

        The image less the padding's vector v is zero below the items. So filters see the items alone, histories of
        similar length together, and their responses to an image full of v are added.
        """
        if valid.shape[1] > self.max_length:
            raise ValueError(
                f"a history of {valid.shape[1]} items does not fit an image of max_length={self.max_length} rows; keep "
                "its newest items or build the model with a larger max_length"
            )
        blank = self.item_embedding.weight[0].detach()  # look-ups of padding teach it nothing
        packing = Packing(valid)
        difference = ((x - blank) * valid[..., None])[packing.order]
        vertical, horizontal = self.vertical.prepare(blank), self.horizontal.prepare(blank)
        responses, row = [], 0
        for rows, width in packing.groups:
            part = difference[row : row + rows, :width]
            responses.append(torch.cat([vertical(part), torch.relu(horizontal(part))], dim=1))
            row += rows
        features = torch.cat(responses)[torch.argsort(packing.order)]
        return torch.relu(self.hidden(self.dropout(features)))

    def norms(self) -> Tensor:
        """Sum of the Frobenius norms, not squared, of all weights but biases; the mask token is no weight."""
        weights = (self.user_embedding.weight, self.item_embedding.weight[:-1], self.vertical.weight)
        layers = (self.hidden.weight, self.output.weight)
        norms = torch.stack([torch.linalg.vector_norm(weight) for weight in (*weights, *layers)])
        return norms.sum() + self.horizontal.norms().sum()

"""Caser's network: convolutions over the embedded history as an image, and the user's own vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqrec.backbones.base import Backbone, Where
from seqrec.backbones.caser.image_filters import HorizontalFilters, VerticalFilters
from seqrec.nn.chosen import Chosen
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

    def forward(self, items: Tensor, where: Where = "all", user: Tensor | None = None) -> Tensor:
        """See :meth:`Backbone.forward`; each history's one vector is its state at all of its positions.

        Args:
            items: ids, 0 is padding.
            where: positions that are asked for.
            user: ``(B,)`` numbers 0..U-1; None where they are unknown.

        Raises:
            ValueError: a history is longer than the image.
        """
        vectors = self._vectors(items, user)
        if isinstance(where, str) and where == "newest":
            return vectors
        everywhere = vectors[:, None].expand(-1, items.shape[1], -1)
        if isinstance(where, Chosen):
            return where.of(everywhere)
        return everywhere[where] if isinstance(where, Tensor) else everywhere

    def newest(self, items: Tensor, user: Tensor | None = None) -> Tensor:
        """Vectors ``(B, D)`` of histories ``(B, L)``; arguments as in :meth:`forward`."""
        vectors: Tensor = self(items, "newest", user)
        return vectors

    def _vectors(self, items: Tensor, user: Tensor | None) -> Tensor:
        """Vectors ``(B, D)``, see :meth:`forward`."""
        x = self.encode(self.item_embedding(items), items != 0)
        number = items.new_zeros(items.shape[0]) if user is None else user + 1
        return self._joined(x, self.user_embedding(number))

    def newest_of(self, x: Tensor, valid: Tensor, user: Tensor | None = None) -> Tensor:
        """See :meth:`Backbone.newest_of`.

        Args:
            x, valid: the histories.
            user: ``(B, D)`` vectors of the users; None where they are unknown.
        """
        unknown = self.user_embedding.weight[:1].expand(x.shape[0], -1)
        return self._joined(self.encode(x, valid), unknown if user is None else user)

    def _joined(self, x: Tensor, user: Tensor) -> Tensor:
        """Vectors ``(B, D)`` of what was read from the histories and of the users, both ``(B, D)``."""
        vector: Tensor = self.output(torch.cat([x, user], dim=1))
        return torch.relu(vector)

    @property
    def user_matrix(self) -> Tensor:
        """Vectors of the users, ``(U, D)``; row ``u`` is user ``u``."""
        return self.user_embedding.weight[1:]

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
        packing = Packing.of(valid)
        difference = ((x - blank) * valid[..., None])[packing.order]
        groups = zip(difference.split([rows for rows, _ in packing.groups]), packing.groups, strict=True)
        images = [part[:, :width] for part, (_, width) in groups]
        pairs = zip(self.vertical(images, blank), self.horizontal(images, blank), strict=True)
        responses = [torch.cat([vertical, torch.relu(horizontal)], dim=1) for vertical, horizontal in pairs]
        return self._read(torch.cat(responses)[torch.argsort(packing.order)])

    def _read(self, features: Tensor) -> Tensor:
        """What the hidden layer makes of the filters' responses: ``(B, D)``."""
        return torch.relu(self.hidden(self.dropout(features)))

    def norms(self) -> Tensor:
        """Sum of the Frobenius norms, not squared, of all weights but biases; the mask token is no weight."""
        weights = (self.user_embedding.weight, self.item_embedding.weight[:-1], self.vertical.weight)
        layers = (self.hidden.weight, self.output.weight)
        norms = torch.stack([torch.linalg.vector_norm(weight) for weight in (*weights, *layers)])
        return norms.sum() + self.horizontal.norms().sum()

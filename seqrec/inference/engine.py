"""TorchEngine: the model of a run behind plain arrays, as :class:`~seqrec.serving.engine.Engine` asks for them."""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.data.batch import Histories
from seqrec.functional.ranking import BLOCKS, best
from seqrec.inference.scorer import Scorer
from seqrec.methods.base import Recommender
from seqrec.runs.card import tested_weights
from seqrec.runs.catalog import CATALOG
from seqrec.serving.engine import Pairs

TILE = 16 * BLOCKS[0]
"""Items scored at a time: their scores are looked at again while they are in the cache."""


class TorchEngine:
    """Scores as the evaluation of the run does; see :class:`~seqrec.serving.engine.Engine`.

    Args:
        scorer: the loaded run.
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer, self.model, self.max_length = scorer, scorer.model, scorer.max_length
        self.width = scorer.num_items + 2  # with padding and the mask
        self._bias: Tensor | None = None
        self._table = torch.zeros(0, 0)
        if isinstance(self.model, Recommender):
            with torch.no_grad():
                table, bias = self.model.output_table()
                behind = -self.width % BLOCKS[0]  # of whole blocks the best are found without a copy
                self._table = F.pad(table.float().T, (1, 1 + behind))  # (D, W), which is quicker to multiply with
                self._bias = None if bias is None else F.pad(bias.float(), (1, 1 + behind))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the weights and of the numbers of the items."""
        folder, digest = self.scorer.folder, hashlib.sha256()
        for name in (tested_weights(folder), CATALOG):
            digest.update((folder / name).read_bytes())
        return digest.hexdigest()

    @torch.no_grad()
    def vectors(self, items: np.ndarray, users: np.ndarray | None) -> np.ndarray:
        """Queries ``(B, D)``; of a model that counts, the users and histories themselves."""
        if not isinstance(self.model, Recommender):
            user = np.full(len(items), -1) if users is None else users
            return np.concatenate([user[:, None], items], axis=1)
        device = self.model.device
        user_numbers = None if users is None else torch.from_numpy(users).to(device)
        query = self.model.query(Histories(torch.from_numpy(items).to(device), user_numbers))
        found: np.ndarray = query.float().cpu().numpy()
        return found

    @torch.no_grad()
    def top(self, vectors: np.ndarray, penalty: np.ndarray, removed: Pairs, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items ``(B, k)`` and their scores ``(B, k)``."""
        device = self.model.device
        asked, less = (torch.from_numpy(array).to(device) for array in (vectors, penalty))
        place, item = (torch.from_numpy(part).to(device) for part in removed)
        if isinstance(self.model, Recommender):
            scores, maxima = self._penalised(asked, less[0])
            scores[place, item] = -torch.inf
            block = item // BLOCKS[0]
            maxima[place, block] = scores.unflatten(1, (-1, BLOCKS[0]))[place, block].amax(1)
            values, items = best(scores, k, maxima)
        else:
            counted = F.pad(self._counted(asked), (1, 1)) + less
            counted[place, item] = -torch.inf
            values, items = best(counted, k)
        return items.cpu().numpy(), values.cpu().numpy()

    @torch.no_grad()
    def scores(self, vectors: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Scores ``(B, M)`` of items ``(M,)``."""
        asked, wanted = (torch.from_numpy(array).to(self.model.device) for array in (vectors, items))
        if isinstance(self.model, Recommender):
            found = asked @ self._table[:, wanted] + (0 if self._bias is None else self._bias[wanted])
        else:
            found = self._counted(asked)[:, wanted - 1]
        scores: np.ndarray = found.cpu().numpy()
        return scores

    def item_vectors(self) -> np.ndarray:
        """Vectors ``(I, D)`` by which the items are scored."""
        if not isinstance(self.model, Recommender):
            raise ValueError(f"{type(self.model).__name__} scores by counts and has no vectors of items to compare")
        vectors: np.ndarray = self._table[:, 1 : self.width - 1].T.cpu().numpy()
        return vectors

    def _penalised(self, asked: Tensor, less: Tensor) -> tuple[Tensor, Tensor]:
        """Scores ``(B, W)`` with a penalty ``(I + 2,)`` added, and the maximum of each block; column i is item i."""
        rows, width = len(asked), self._table.shape[1]
        scores, maxima = asked.new_empty(rows, width), asked.new_empty(rows, width // BLOCKS[0])
        added = F.pad(less, (0, width - self.width), value=-torch.inf)
        added = added if self._bias is None else added + self._bias
        for first, some in zip(range(0, width, TILE), added.split(TILE), strict=True):
            tile = scores[:, first : first + TILE]
            torch.mm(asked, self._table[:, first : first + TILE], out=tile)
            if some.any():
                tile += some
            maxima[:, first // BLOCKS[0] : (first + TILE) // BLOCKS[0]] = tile.unflatten(1, (-1, BLOCKS[0])).amax(2)
        return scores, maxima

    def _counted(self, asked: Tensor) -> Tensor:
        """Scores ``(B, I)`` of a model without vectors, from what :meth:`vectors` gave for it."""
        users = asked[:, 0] if self.model.knows_users else None
        return self.model.score(Histories(asked[:, 1:], users))

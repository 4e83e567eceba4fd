"""TorchEngine: the model of a run behind plain arrays, as :class:`~seqrec.serving.engine.Engine` asks for them."""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.data.batch import Histories
from seqrec.functional.ranking import BLOCK, best
from seqrec.inference.scorer import Scorer
from seqrec.methods.base import Recommender
from seqrec.runs.card import tested_weights
from seqrec.runs.catalog import CATALOG


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
                behind = -self.width % BLOCK  # of whole blocks the best are found without a copy
                self._table = F.pad(table.float(), (0, 0, 1, 1 + behind))
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
    def top(self, vectors: np.ndarray, penalty: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items ``(B, k)`` and their scores ``(B, k)``."""
        asked, less = (torch.from_numpy(array).to(self.model.device) for array in (vectors, penalty))
        if isinstance(self.model, Recommender):
            scores = self._table.new_empty(len(vectors), len(self._table))
            scores[:, : self.width], scores[:, self.width :] = less, -torch.inf
            if self._bias is not None:
                scores += self._bias
            scores.addmm_(asked, self._table.T)
            values, items = best(scores, k)
        else:
            values, columns = best(self._counted(asked) + less[:, 1:-1], k)
            items = columns + 1
        return items.cpu().numpy(), values.cpu().numpy()

    @torch.no_grad()
    def scores(self, vectors: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Scores ``(B, M)`` of items ``(M,)``."""
        asked, wanted = (torch.from_numpy(array).to(self.model.device) for array in (vectors, items))
        if isinstance(self.model, Recommender):
            found = F.linear(asked, self._table[wanted], None if self._bias is None else self._bias[wanted])
        else:
            found = self._counted(asked)[:, wanted - 1]
        scores: np.ndarray = found.cpu().numpy()
        return scores

    def item_vectors(self) -> np.ndarray:
        """Vectors ``(I, D)`` by which the items are scored."""
        if not isinstance(self.model, Recommender):
            raise ValueError(f"{type(self.model).__name__} scores by counts and has no vectors of items to compare")
        vectors: np.ndarray = self._table[1 : self.width - 1].cpu().numpy()
        return vectors

    def _counted(self, asked: Tensor) -> Tensor:
        """Scores ``(B, I)`` of a model without vectors, from what :meth:`vectors` gave for it."""
        users = asked[:, 0] if self.model.knows_users else None
        return self.model.score(Histories(asked[:, 1:], users))

"""Session: one user's history that grows item by item, and can be put away and taken up again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from seqrec.serving.recommend import LoadedModel, Recommendations


class Session:
    """A history that grows, and what follows from it.

    Args:
        model: recommends.
        user: raw id, for a model that knows users.
        numbers: of the items so far, oldest first.
    """

    def __init__(self, model: LoadedModel, user: Any = None, numbers: Iterable[int] = ()) -> None:
        self.model, self.user, self.numbers = model, user, list(numbers)

    def add(self, item: Any) -> bool:
        """Append an item by its raw id; False where the model does not know it, which changes nothing."""
        number = int(self.model.items.numbers([item])[0])
        if number:
            self.numbers.append(number)
        return number > 0

    def recommend(self, k: int = 10, **options: Any) -> Recommendations:
        """One list of k items; options as of :meth:`LoadedModel.recommend`."""
        numbers = np.array(self.numbers, dtype=np.int64)
        users = None if self.user is None else [self.user]
        asked = self.model.asked_of(numbers, np.array([0, len(numbers)]), users=users)
        return self.model.recommend(asked, k, **options)

    def save(self, path: str | Path) -> None:
        """Write the state to an ``.npz`` file, which only a model with the same weights takes."""
        user = np.array([] if self.user is None else [str(self.user)], dtype=np.str_)
        numbers = np.array(self.numbers, dtype=np.int64)
        with Path(path).open("wb") as file:
            np.savez(file, items=numbers, user=user, model=np.array(self.model.engine.fingerprint))

    @classmethod
    def load(cls, model: LoadedModel, path: str | Path) -> Session:
        """Take up what :meth:`save` has written.

        Raises:
            ValueError: the file is no such state, or one of other weights.
            OSError: it cannot be read.
        """
        try:
            with np.load(path, allow_pickle=False) as state:
                numbers, user, fingerprint = state["items"], state["user"].tolist(), str(state["model"])
            sound = numbers.dtype == np.int64 and numbers.ndim == 1
        except OSError:
            raise
        except Exception as error:  # a damaged archive fails in many ways
            raise ValueError(f"{path} is not the state of a session ({type(error).__name__}: {error})") from None
        if fingerprint != model.engine.fingerprint:
            raise ValueError(f"{path} is the state of a session with other weights; begin a new one")
        if not sound or not ((numbers >= 1) & (numbers <= len(model.items.raw))).all():
            raise ValueError(f"{path} is not the state of a session; was it changed?")
        return cls(model, user[0] if user else None, numbers.tolist())

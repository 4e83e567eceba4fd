"""Session: one user's history that grows item by item, and can be put away and taken up again.

Where the model of a bundle is recurrent, a new item costs one step, however long the history is. Such a session
remembers all of it; other models see the newest items alone. The file needs numpy and nothing of the package around it,
because a bundle carries a copy.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from seqrec.serving.recommend import LoadedModel, Recommendations

STATE = "state_"
"""Before the names of the parts of a state in a file."""


class Session:
    """A history that grows, and what follows from it.

    Args:
        model: recommends.
        user: raw id, for a model that knows users.
        numbers: of the items so far, oldest first.
        state: that :meth:`save` wrote, of a model that takes one item after another; None makes it from the items.
    """

    def __init__(
        self, model: LoadedModel, user: Any = None, numbers: Iterable[int] = (),
        state: dict[str, np.ndarray] | None = None,
    ) -> None:  # fmt: skip
        self.model, self.user = model, user
        self.numbers: list[int] = []
        self._shapes: dict[str, tuple[int, ...]] = getattr(model.engine, "states", {})
        self._state = {name: np.zeros((1, *shape), np.float32) for name, shape in self._shapes.items()}
        self._vector = np.zeros((0, 0), np.float32)
        if state:
            self.numbers, self._vector = list(numbers), state["vector"]
            self._state = {name: state[name] for name in self._shapes}
        else:
            for number in numbers:
                self._append(number)

    def add(self, item: Any) -> bool:
        """Append an item by its raw id; False where the model does not know it, which changes nothing."""
        number = int(self.model.items.numbers([item])[0])
        if number:
            self._append(number)
        return number > 0

    def recommend(self, k: int = 10, **options: Any) -> Recommendations:
        """One list of k items; options as of :meth:`LoadedModel.recommend`."""
        numbers = np.array(self.numbers, dtype=np.int64)
        users = None if self.user is None else [self.user]
        model = self.model
        if self._shapes and self.numbers:
            model = copy.copy(model)
            model.engine = _Answered(model.engine, self._vector)
        asked = model.asked_of(numbers, np.array([0, len(numbers)]), users=users)
        return model.recommend(asked, k, **options)

    def save(self, path: str | Path) -> None:
        """Write the state to an ``.npz`` file, which only a model with the same weights takes."""
        user = np.array([] if self.user is None else [str(self.user)], dtype=np.str_)
        numbers = np.array(self.numbers, dtype=np.int64)
        parts: dict[str, Any] = {f"{STATE}{name}": part for name, part in self._state.items()} if self.numbers else {}
        if parts:
            parts[f"{STATE}vector"] = self._vector
        with Path(path).open("wb") as file:
            np.savez(file, items=numbers, user=user, model=np.array(self.model.engine.fingerprint), **parts)

    @classmethod
    def load(cls, model: LoadedModel, path: str | Path) -> Session:
        """Take up what :meth:`save` has written.

        Raises:
            ValueError: the file is no such state, or one of other weights.
            OSError: it cannot be read.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                numbers, user, fingerprint = file["items"], file["user"].tolist(), str(file["model"])
                state = {name.removeprefix(STATE): file[name] for name in file.files if name.startswith(STATE)}
            sound = numbers.dtype == np.int64 and numbers.ndim == 1
        except OSError:
            raise
        except Exception as error:  # a damaged archive fails in many ways
            raise ValueError(f"{path} is not the state of a session ({type(error).__name__}: {error})") from None
        if fingerprint != model.engine.fingerprint:
            raise ValueError(f"{path} is the state of a session with other weights; begin a new one")
        shapes = getattr(model.engine, "states", {})
        sound = sound and ((numbers >= 1) & (numbers <= len(model.items.raw))).all()
        if not sound or not _fits(state, shapes if numbers.size else {}):
            raise ValueError(f"{path} is not the state of a session; was it changed?")
        return cls(model, user[0] if user else None, numbers.tolist(), state)

    def _append(self, number: int) -> None:
        self.numbers.append(number)
        if self._shapes:
            self._vector, self._state = self.model.engine.step(number, self._state)  # type: ignore[attr-defined]


class _Answered:
    """An engine whose vector of the one history that is asked about is known already."""

    def __init__(self, engine: Any, vector: np.ndarray) -> None:
        self._engine, self._vector = engine, vector

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def vectors(self, items: np.ndarray, users: np.ndarray | None) -> np.ndarray:
        """The vector ``(1, D)``."""
        return self._vector


def _fits(state: dict[str, np.ndarray], shapes: dict[str, tuple[int, ...]]) -> bool:
    """Whether a state has these parts and a vector, or, of a model without a state, nothing."""
    if set(state) != ({*shapes, "vector"} if shapes else set()):
        return False
    sizes = all(state[name].shape == (1, *shape) for name, shape in shapes.items())
    return sizes and all(part.dtype == np.float32 and np.isfinite(part).all() for part in state.values())

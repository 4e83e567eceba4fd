"""From histories of raw ids to recommended items: the one path behind every way to ask a trained model.

What scores is an engine; ids, filters and fallback are here, the same for all engines. The file needs numpy alone, and
of the package around it the order of lists, because a bundle carries copies. B histories are asked with, k of I items
answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:  # for readers; a bundle has no such package
    from seqrec.serving.engine import Engine, Pairs
    from seqrec.serving.order import best, refuse_nan
else:
    order = import_module("seqrec.serving.order" if __package__ else "recommend_order")
    best, refuse_nan = order.best, order.refuse_nan

BATCH_ROWS, BATCH_POSITIONS = 128, 2048
"""Histories, and padded positions of them, that an engine gets at a time: what they take stays in the cache."""

NOTHING = np.zeros(0, np.int64), np.zeros(0, np.int64)  # where no item is removed from any history


class Ids:
    """Raw ids of the numbers 1..N. They are compared as text: 1 and "1" are the same."""

    def __init__(self, raw: Sequence[Any]) -> None:
        self.raw = raw
        self._number = {str(value): place for place, value in enumerate(raw, start=1)}

    def numbers(self, ids: Iterable[Any]) -> np.ndarray:
        """Numbers ``(N,)`` int64; 0 where an id is unknown."""
        return np.array([self._number.get(str(value), 0) for value in ids], dtype=np.int64)


class Asked(NamedTuple):
    """Histories as numbers.

    Attributes:
        items: ``(N + 1,)`` int64, the known items of all histories, oldest first, and a 0.
        offsets: ``(B + 1,)``, where each history begins.
        unknown: ``(B,)``, how many unknown items each has lost.
        users: ``(B,)``, -1 where unknown; None for a model that knows none.
    """

    items: np.ndarray
    offsets: np.ndarray
    unknown: np.ndarray
    users: np.ndarray | None


@dataclass(frozen=True)
class Recommendations:
    """A list of items for each history, best first.

    Attributes:
        ids: of the items.
        numbers: ``(B, k)`` int64, numbers of the items; 0 behind the end of a shorter list.
        scores: ``(B, k)`` float32; NaN behind the end. Of popular items it is how often each occurs in training.
        popular: ``(B,)`` bool, nothing known was in the history, so it got the most popular items.
        unknown: ``(B,)`` int64, how many unknown items of the history were left out.
    """

    ids: Ids
    numbers: np.ndarray
    scores: np.ndarray
    popular: np.ndarray
    unknown: np.ndarray

    @property
    def items(self) -> list[list[Any]]:
        """Raw ids of each list, in their own type; the place in the list is the rank."""
        return [[self.ids.raw[number - 1] for number in row if number] for row in self.numbers.tolist()]

    @property
    def counts(self) -> dict[str, int]:
        """Unknown items that were left out, histories that got popular items, and lists shorter than k."""
        short = (self.numbers == 0).any(1)
        found = {"unknown_items": self.unknown, "empty_histories": self.popular, "short_lists": short}
        return {name: int(values.sum()) for name, values in found.items()}


class LoadedModel:
    """A trained model that recommends.

    Args:
        engine: scores.
        items: raw ids of the items 1..I.
        counts: ``(I,)``, how often each item occurs in training.
        remove_seen: the test of the run ranked no items that a user had seen.
        name: of the model.
        users: raw ids of the users 0..U-1, for a model that knows users.
    """

    def __init__(
        self, engine: Engine, items: Sequence[Any], counts: np.ndarray, remove_seen: bool, name: str,
        users: Sequence[Any] | None = None,
    ) -> None:  # fmt: skip
        self.engine, self.remove_seen, self.name = engine, remove_seen, name
        self.items, self.users = Ids(items), None if users is None else Ids(users)
        self.popularity = np.concatenate([[0.0], counts, [0.0]])
        self._open = np.zeros((1, len(self.popularity)), np.float32)  # the penalty where all items may come
        self._open[0, [0, -1]] = -np.inf
        self._directions = np.zeros((0, 0), dtype=np.float32)

    def recommend(
        self, histories: Any, k: int = 10, *, seen: str = "as_evaluated", allow: Iterable[Any] | None = None,
        block: Iterable[Any] = (), unknown: str = "drop", empty: str = "popular", users: Sequence[Any] | None = None,
    ) -> Recommendations:  # fmt: skip
        """The k best items after each history; fewer only where the filters leave fewer.

        Args:
            histories: a list of raw ids for each, oldest first; or what :meth:`asked`, :meth:`asked_of` make of them.
            k: how many.
            seen: may items of the history come back? ``keep`` lets them, ``remove`` does not, ``as_evaluated`` does as
                the test of the run did. All of the history counts, also what is too old for the model to see.
            allow: only these items may come; None: all.
            block: these items do not come.
            unknown: items (and users) that the model does not know: ``drop`` leaves them out, ``error`` refuses them.
            empty: histories in which nothing is known: ``popular`` gives them the items that are most frequent in
                training, ``error`` refuses them.
            users: raw id of each history's user, for a model that knows users.

        Another argument, and a score that is NaN, raise a ValueError.
        """
        asked = histories if isinstance(histories, Asked) else self.asked(histories, unknown, users)
        remove = _one_of("seen", seen, "keep", "remove", "as_evaluated") == "remove"
        remove |= seen == "as_evaluated" and self.remove_seen
        empties, barred, most = self._empties(asked, empty), self._barred(allow, block, unknown), self._most(k)
        numbers, scores = np.zeros((len(empties), k), np.int64), np.full((len(empties), k), -np.inf, np.float32)
        for chosen in (~empties, empties):
            for rows in _batches(asked, chosen.nonzero()[0], self.engine.max_length):
                removed = _pairs(asked, rows) if remove else NOTHING
                if chosen is empties:
                    popular = np.repeat(self.popularity + barred, len(rows), axis=0)
                    popular[removed] = -np.inf
                    values, items = best(popular, most)
                else:
                    items, values = self.engine.top(self._vectors(asked, rows), barred, removed, most)
                numbers[rows, :most], scores[rows, :most] = items, values
        return self._lists(numbers, scores, empties, asked.unknown)

    def score(
        self, histories: Any, items: Any, unknown: str = "drop", empty: str = "popular", users: Any = None
    ) -> list[np.ndarray]:
        """Scores ``(M,)`` of given items after each history, to order another's candidates; NaN where one is unknown.

        Args:
            histories, unknown, empty, users: as in :meth:`recommend`.
            items: M raw ids for all histories, or a list of some for each history.
        """
        asked = self.asked(histories, unknown, users)
        lists = items if _is_nested(items) and len(items) else [items] * len(asked.unknown)
        if len(lists) != len(asked.unknown):
            raise ValueError(f"items has {len(lists)} lists for {len(asked.unknown)} histories; give one for each")
        wanted = [self._known(row, unknown, "items") for row in lists]
        found = [np.where(row > 0, self.popularity[row], np.nan).astype(np.float32) for row in wanted]
        for rows in _batches(asked, np.flatnonzero(~self._empties(asked, empty)), self.engine.max_length):
            union = np.unique(np.concatenate([wanted[row] for row in rows]))
            scores = self.engine.scores(self._vectors(asked, rows), np.maximum(union, 1))
            refuse_nan(scores)
            for row, of_row in zip(rows, scores, strict=True):
                found[row] = np.where(wanted[row] > 0, of_row[np.searchsorted(union, wanted[row])], np.nan)
        return found

    def similar(self, items: Sequence[Any], k: int = 10, unknown: str = "drop") -> Recommendations:
        """The k items whose vectors point most nearly in the direction of each item's (cosine), without itself.

        The vectors are those by which items are scored; a cosine leaves out their lengths, by which frequent items
        would be similar to everything. An unknown item gets an empty list. ValueError where a model has no vectors.
        """
        asked, most = self._known(items, unknown, "items"), self._most(k)
        if not len(self._directions):
            vectors = self.engine.item_vectors()
            self._directions = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        numbers, scores = np.zeros((len(asked), k), np.int64), np.full((len(asked), k), -np.inf, np.float32)
        for rows in np.array_split(np.flatnonzero(asked), range(BATCH_ROWS, len(asked), BATCH_ROWS)):
            cosine = self._directions[asked[rows] - 1] @ self._directions.T
            cosine[np.arange(len(rows)), asked[rows] - 1] = -np.inf
            scores[rows, :most], columns = best(cosine, most)
            numbers[rows, :most] = columns + 1
        return self._lists(numbers, scores, np.zeros(len(asked), bool), (asked == 0).astype(np.int64))

    def asked(self, histories: Any, unknown: str = "drop", users: Sequence[Any] | None = None) -> Asked:
        """Histories of raw ids as numbers; arguments and errors as of :meth:`recommend`."""
        if not _is_nested(histories):
            raise ValueError("histories must be a list of lists of item ids; of one user write [[...]]")
        numbers, offsets = self.items.numbers(chain.from_iterable(histories)), np.cumsum([0, *map(len, histories)])
        return self.asked_of(numbers, offsets, unknown, users)

    def asked_of(self, numbers: np.ndarray, offsets: np.ndarray, unknown: str = "drop", users: Any = None) -> Asked:
        """The same of item numbers ``(N,)``, 0 where unknown, and where each history begins, ``(B + 1,)``."""
        missing = np.zeros(len(offsets) - 1, np.int64)
        if not numbers.all():
            row = np.repeat(np.arange(len(missing)), np.diff(offsets))
            missing = np.bincount(row[numbers == 0], minlength=len(missing))
            offsets = np.concatenate([[0], (np.diff(offsets) - missing).cumsum()])
        self._heed(unknown, missing == 0, "an item of histories")
        known = np.concatenate([numbers[numbers > 0], [0]])
        return Asked(known, offsets, missing, self._users(users, len(missing), unknown))

    def _lists(self, numbers: np.ndarray, scores: np.ndarray, *about: np.ndarray) -> Recommendations:
        refuse_nan(scores)
        gone = scores == -np.inf
        numbers[gone], scores[gone] = 0, np.nan
        return Recommendations(self.items, numbers, scores, *about)

    def _vectors(self, asked: Asked, rows: np.ndarray) -> np.ndarray:
        stop = asked.offsets[rows + 1]
        start = np.maximum(asked.offsets[rows], stop - self.engine.max_length)
        place = start[:, None] + np.arange(max(1, int((stop - start).max())))
        items = asked.items[np.where(place < stop[:, None], place, -1)]
        return self.engine.vectors(items, None if asked.users is None else asked.users[rows])

    def _empties(self, asked: Asked, empty: str) -> np.ndarray:
        """Which histories ``(B,)`` give the engine nothing to go by."""
        empties = np.diff(asked.offsets) == 0 if asked.users is None else asked.users < 0
        if _one_of("empty", empty, "popular", "error") == "error" and empties.any():
            raise ValueError(f"{self.name} knows nothing in histories[{empties.argmax()}]; empty=popular takes it")
        return empties

    def _barred(self, allow: Iterable[Any] | None, block: Iterable[Any], unknown: str) -> np.ndarray:
        """The penalty ``(1, I + 2)`` of what may come at all."""
        if allow is None and isinstance(block, list | tuple) and not block:
            return self._open
        barred = np.full((1, len(self.popularity)), 0 if allow is None else -np.inf, dtype=np.float32)
        barred[0, [] if allow is None else self._known(allow, unknown, "allow")] = 0
        barred[0, [0, -1, *self._known(block, unknown, "block")]] = -np.inf
        if not (barred == 0).any():
            raise ValueError(f"allow and block leave no item that {self.name} knows")
        return barred

    def _known(self, ids: Iterable[Any], unknown: str, what: str) -> np.ndarray:
        """Numbers of a list of raw ids, 0 where unknown."""
        if isinstance(ids, str | bytes) or not isinstance(ids, Iterable):
            raise ValueError(f"{what} is {ids!r}; give a list of item ids")
        numbers = self.items.numbers(ids)
        self._heed(unknown, numbers > 0, what)
        return numbers

    def _most(self, k: int) -> int:
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise ValueError(f"k is {k!r}; ask for a whole number of items, at least 1")
        return min(int(k), len(self.items.raw))

    def _heed(self, unknown: str, known: np.ndarray, what: str) -> None:
        if _one_of("unknown", unknown, "drop", "error") == "error" and not known.all():
            raise ValueError(f"{what}[{known.argmin()}] is unknown to {self.name}; unknown=drop leaves out what is")

    def _users(self, users: Sequence[Any] | None, rows: int, unknown: str) -> np.ndarray | None:
        if self.users is None or users is None:
            if self.users is users:
                return None
            way = "knows no users; leave them out" if users is not None else "scores known users only: give users"
            raise ValueError(f"{self.name} {way}, the raw id of the user of each history")
        if len(users) != rows:
            raise ValueError(f"users has {len(users)} ids for {rows} histories; give one for each")
        numbers = self.users.numbers(users) - 1
        self._heed(unknown, numbers >= 0, "users")
        return numbers


def _batches(asked: Asked, rows: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Some rows in batches of similar length."""
    if len(rows) < 2:  # at once, which matters to the one
        yield from [rows] * len(rows)
        return
    lengths = np.minimum(np.diff(asked.offsets)[rows], most)
    order = np.argsort(lengths, kind="stable")
    rows, lengths, start = rows[order], lengths[order], 0
    while start < len(rows):
        ahead = lengths[start : start + BATCH_ROWS]
        fitting = int((ahead * np.arange(1, len(ahead) + 1) <= BATCH_POSITIONS).sum())
        yield rows[start : start + max(1, fitting)]
        start += max(1, fitting)


def _pairs(asked: Asked, rows: np.ndarray) -> Pairs:
    """Place among the rows, and number, of each item of some histories."""
    start, count = asked.offsets[rows], asked.offsets[rows + 1] - asked.offsets[rows]
    place = np.repeat(np.arange(len(rows)), count)
    return place, asked.items[np.repeat(start - (count.cumsum() - count), count) + np.arange(len(place))]


def _is_nested(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(row, list | tuple | np.ndarray) for row in value)


def _one_of(name: str, value: str, *allowed: str) -> str:
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; choose {', '.join(allowed[:-1])} or {allowed[-1]}")
    return value

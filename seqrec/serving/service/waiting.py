"""Requests that wait for the model, which is asked together for several of them if several wait."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

from seqrec.serving.recommend import LoadedModel, Recommendations

TOGETHER = 16
"""Histories of different requests that the model is asked with at a time: more do not fit the cache."""

BRIEF = 0.02
"""Seconds for which nothing else may happen: what takes longer is asked in another thread. Changing threads for each
question would cost as much as a small model itself."""


class Question(NamedTuple):
    """A request, read.

    Attributes:
        asked: of the form ``Recommend`` or ``Similar``, see :func:`~seqrec.serving.service.forms.forms`.
        ask: gets a list of them.
        size: lists that answer it.
    """

    asked: Any
    ask: Callable[[Sequence[Any]], list[Recommendations]]
    size: int


class Waiting:
    """Asks a model, first come, first served. What waits is asked together; nothing waits for others to come.

    Args:
        model: is never asked for two things at a time.
        together: see :data:`TOGETHER`; 1 asks for each request alone.

    Attributes:
        batches: how often the model was asked.
    """

    def __init__(self, model: LoadedModel, together: int = TOGETHER) -> None:
        self.model, self.together, self.batches = model, together, 0
        self._thread = ThreadPoolExecutor(1, "model")
        self._pace = math.inf  # seconds that the model has last taken for a list
        self._waiting: deque[tuple[Question, asyncio.Future[Recommendations]]] = deque()
        self._work: asyncio.Task[None] | None = None

    async def recommend(self, asked: Any) -> Recommendations:
        """The lists of a ``Recommend``; ValueError where the model refuses it."""
        return await self._answer(Question(asked, self._recommend, len(asked.histories)))

    async def similar(self, asked: Any) -> Recommendations:
        """The lists of a ``Similar``; ValueError where the model refuses it."""
        return await self._answer(Question(asked, self._similar, len(asked.items)))

    def close(self) -> None:
        """Ask no more; what the model is at ends first."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _answer(self, question: Question) -> Recommendations:
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._work is None:
            self._work = asyncio.create_task(self._ask_on())
        return await answer

    async def _ask_on(self) -> None:
        """Ask until nothing waits."""
        try:
            while self._waiting:
                await self._ask(self._next())
        finally:
            self._work = None

    async def _ask(self, batch: Sequence[tuple[Question, asyncio.Future[Recommendations]]]) -> None:
        open_ones = [(question, answer) for question, answer in batch if not answer.done()]  # the others have left
        if not open_ones:
            return
        self.batches += 1
        try:
            found = await self._asked(open_ones)
        except Exception as error:
            for _, answer in open_ones:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), lists in zip(open_ones, found, strict=True):
            if not answer.done():
                answer.set_result(lists)

    async def _asked(self, batch: Sequence[tuple[Question, Any]]) -> list[Recommendations]:
        ask, asked, size = batch[0][0].ask, [question.asked for question, _ in batch], sum(q.size for q, _ in batch)
        started = time.perf_counter()
        if self._pace * max(1, size) <= BRIEF:
            found = ask(asked)
        else:
            found = await asyncio.get_running_loop().run_in_executor(self._thread, ask, asked)
        self._pace = (time.perf_counter() - started) / max(1, size)
        return found

    def _next(self) -> list[tuple[Question, asyncio.Future[Recommendations]]]:
        """The first that waits, and those right behind it that can be asked with it."""
        batch = [self._waiting.popleft()]
        first, size = batch[0][0], batch[0][0].size
        while self._waiting and _fit(first, self._waiting[0][0]):
            size += self._waiting[0][0].size
            if size > self.together:
                break
            batch.append(self._waiting.popleft())
        return batch

    def _recommend(self, batch: Sequence[Any]) -> list[Recommendations]:
        first = batch[0]
        histories = [history for asked in batch for history in asked.histories]
        options = {name: getattr(first, name) for name in ("seen", "allow", "block", "unknown", "empty", "users")}
        return _parts(
            self.model.recommend(histories, max(asked.k for asked in batch), **options),
            [(len(asked.histories), asked.k) for asked in batch],
        )

    def _similar(self, batch: Sequence[Any]) -> list[Recommendations]:
        return [self.model.similar(asked.items, asked.k, asked.unknown) for asked in batch]


def _fit(one: Question, other: Question) -> bool:
    """Whether two requests can be asked together: the same filters, and nothing for which one alone is refused."""
    if one.ask != other.ask or not hasattr(one.asked, "histories"):
        return False
    a, b = one.asked, other.asked
    same = (a.seen, a.allow, a.block) == (b.seen, b.allow, b.block)
    return same and all((c.unknown, c.empty, c.users) == ("drop", "popular", None) for c in (a, b))


def _parts(found: Recommendations, shapes: Sequence[tuple[int, int]]) -> list[Recommendations]:
    """The lists of each request: some rows, of which it wanted k items. A shorter list is the begin of a longer one."""
    parts, start = [], 0
    for rows, k in shapes:
        own = slice(start, start + rows)
        numbers, scores = found.numbers[own, :k], found.scores[own, :k]
        parts.append(
            replace(found, numbers=numbers, scores=scores, popular=found.popular[own], unknown=found.unknown[own])
        )
        start += rows
    return parts

"""Requests that wait are asked together, and each gets what it would have got alone."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

from seqrec.serving.recommend import Recommendations
from seqrec.serving.service.forms import forms
from seqrec.serving.service.limits import Limits
from seqrec.serving.service.waiting import Waiting
from tests.serving.asking import LIMITS
from tests.serving.dot import dot

TABLE = np.random.default_rng(1).normal(size=(6, 4))


class Held:
    """A model whose first question takes until ``go`` is set; notes how many histories each question has."""

    def __init__(self) -> None:
        self.model, self.sizes = dot(TABLE), list[int]()
        self.begun, self.go = threading.Event(), threading.Event()
        self.recommend = self.model.recommend
        self.model.recommend = self.ask  # type: ignore[method-assign, assignment]

    def ask(self, histories: Any, k: int, **options: Any) -> Recommendations:
        self.begun.set()
        assert self.go.wait(20)
        self.sizes.append(len(histories))
        return self.recommend(histories, k, **options)


async def ask_first_of(held: Held, waiting: Waiting, requests: list[Any]) -> list[asyncio.Task[Recommendations]]:
    """Requests of which the model is at the first; the others wait."""
    tasks = [asyncio.create_task(waiting.recommend(requests[0]))]
    while not held.begun.is_set():
        await asyncio.sleep(0.001)
    tasks += [asyncio.create_task(waiting.recommend(request)) for request in requests[1:]]
    await asyncio.sleep(0)
    return tasks


def asked(**fields: Any) -> Any:
    return forms(Limits(**LIMITS)).recommend.type(**fields)


def answers(held: Held, requests: list[Any], together: int = 16) -> list[Any]:
    """Answers, or what was raised, of requests that come while the first of them is at work."""

    async def run() -> list[Any]:
        waiting = Waiting(held.model, together)
        tasks = await ask_first_of(held, waiting, requests)
        held.go.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert waiting.batches == len(held.sizes)
        waiting.close()
        return found

    return asyncio.run(run())


def test_what_waits_is_asked_together_in_its_order() -> None:
    held = Held()
    requests = [asked(histories=[["abcdef"[place % 6]]] * (1 + place % 3), k=1 + place % 4) for place in range(12)]
    found = answers(held, requests)
    assert held.sizes == [1, 14, 9]
    for request, lists in zip(requests, found, strict=True):
        alone = held.recommend(request.histories, request.k)
        assert lists.items == alone.items and lists.counts == alone.counts
        np.testing.assert_allclose(lists.scores, alone.scores, rtol=1e-5)  # sums of products, in another order


def test_nothing_is_asked_together_where_that_is_switched_off() -> None:
    held = Held()
    answers(held, [asked(histories=[["a"]])] * 4, together=1)
    assert held.sizes == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "other",
    [
        {"seen": "remove"}, {"block": ["b"]}, {"allow": ["b"]}, {"unknown": "error"}, {"empty": "error"},
        {"users": ["u"]},
    ],
)  # fmt: skip
def test_requests_with_other_options_are_asked_alone(other: dict[str, Any]) -> None:
    held, plain = Held(), asked(histories=[["a"], ["x"]], k=2)  # asked with users, the model refuses
    found = answers(held, [plain, plain, asked(histories=[["a"]], k=2, **other), plain, plain])
    assert held.sizes == [2, 2, 1, 4]
    expected = held.recommend(plain.histories, 2).items
    assert [lists.items for place, lists in enumerate(found) if place != 2] == [expected] * 4


def test_a_quick_model_is_asked_in_the_same_thread_and_a_slow_one_in_another() -> None:
    held, threads = Held(), list[str]()
    recommend = held.recommend

    def noting(*given: Any, **options: Any) -> Recommendations:
        threads.append(threading.current_thread().name.partition("_")[0])
        return recommend(*given, **options)

    async def run(brief: float) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("seqrec.serving.service.waiting.BRIEF", brief)
            waiting = Waiting(held.model)
            for _ in range(3):
                await waiting.recommend(asked(histories=[["a"]], k=2))
            waiting.close()

    held.recommend = noting
    held.go.set()
    asyncio.run(run(brief=20.0))
    asyncio.run(run(brief=0.0))
    assert threads == ["model", "MainThread", "MainThread", "model", "model", "model"]


def test_a_refused_request_does_not_disturb_the_others() -> None:
    held = Held()
    plain, wrong = asked(histories=[["a"]], k=2), asked(histories=[["x"]], unknown="error")
    found = answers(held, [plain, wrong, wrong, plain])
    assert [type(one) for one in found] == [Recommendations, ValueError, ValueError, Recommendations]


def test_nobody_is_asked_for_one_who_has_left() -> None:
    held = Held()

    async def run() -> None:
        waiting = Waiting(held.model)
        tasks = await ask_first_of(held, waiting, [asked(histories=[["a"]] * size, k=2) for size in (1, 2, 3)])
        tasks[1].cancel()
        await asyncio.sleep(0)
        held.go.set()
        await asyncio.gather(tasks[0], tasks[2])
        assert tasks[1].cancelled()
        waiting.close()

    asyncio.run(run())
    assert held.sizes == [1, 3]

"""A service says what its model says, within limits, and tells what is wrong with a request."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pytest

from tests.serving.asking import Answer, Service, ask
from tests.serving.dot import ITEMS, dot
from tests.serving.hostile import MARK, Fuzzer

TABLE = np.random.default_rng(0).normal(size=(6, 4))


def rows(answer: Answer) -> list[tuple[list[Any], list[float]]]:
    assert answer.status == 200, answer
    return [(row["items"], row["scores"]) for row in answer.json["lists"]]


def test_lists_are_those_of_the_model() -> None:
    model, asked = dot(TABLE, remove_seen=True), [["a", "b"], ["e", "nobody"], [], ["f", "a", "b", "c", "d"]]
    service = Service(dot(TABLE, remove_seen=True))
    filters: list[dict[str, Any]] = [{}, {"block": ["c"], "allow": ITEMS[1:]}]
    for k, seen, more in product((1, 3, 6), ("as_evaluated", "remove", "keep"), filters):
        found = service.post("/recommend", {"histories": asked, "k": k, "seen": seen} | more)
        expected = model.recommend(asked, k, seen=seen, **more)
        assert [items for items, _ in rows(found)] == expected.items
        for (items, scores), wanted in zip(rows(found), expected.scores, strict=True):
            np.testing.assert_array_equal(np.array(scores, np.float32), wanted[: len(items)])
        assert found.json["counts"] == expected.counts
        assert [row["popular"] for row in found.json["lists"]] == expected.popular.tolist()
        assert [row["unknown_items"] for row in found.json["lists"]] == expected.unknown.tolist()
    found = service.post("/similar", {"items": ["d", "nobody", "a"], "k": 2})
    assert [items for items, _ in rows(found)] == model.similar(["d", "nobody", "a"], 2).items


def test_ids_keep_their_type_and_users_are_asked_for_where_a_model_knows_them() -> None:
    service = Service(dot(np.eye(6), users=[7, 8]))
    found = service.post("/recommend", {"histories": [[], ["f"]], "k": 1, "users": [8, "7"], "seen": "keep"})
    assert [items for items, _ in rows(found)] == [["b"], ["a"]]
    refused = service.post("/recommend", {"histories": [["a"]]})
    assert refused.status == 422 and "dot scores known users only: give users" in refused.json["error"]


@pytest.mark.parametrize(
    ("path", "asked", "message"),
    [
        ("recommend", {}, "the body: object missing required field histories"),
        ("recommend", [], "the body: expected object, got array"),
        ("recommend", {"histories": ["a"]}, "histories[0]: expected array, got str"),
        ("recommend", {"histories": [["a"], ["b", 1.5]]}, "histories[1][1]: expected int | str, got float"),
        ("recommend", {"histories": [["a"] * 31]}, "histories[0]: expected array of length <= 30"),
        ("recommend", {"histories": [["a"]] * 21}, "histories: expected array of length <= 20"),
        ("recommend", {"histories": [], "k": 0}, "k: expected int >= 1"),
        ("recommend", {"histories": [], "k": 51}, "k: expected int <= 50"),
        ("recommend", {"histories": [], "k": True}, "k: expected int, got bool"),
        ("recommend", {"histories": [], "seen": "secret"}, "seen: choose as_evaluated, remove or keep"),
        ("recommend", {"histories": [], "empty": "secret"}, "empty: choose popular or error"),
        ("recommend", {"histories": [], "block": "a"}, "block: expected array, got str"),
        ("recommend", {"histories": [], "allow": []}, "allow and block leave no item that dot knows"),
        ("recommend", {"histories": [["secret"]], "unknown": "error"}, "an item of histories[0] is unknown to dot"),
        ("recommend", {"histories": [["secret"]], "empty": "error"}, "dot knows nothing in histories[0]"),
        ("recommend", {"histories": [], "users": []}, "dot knows no users; leave them out"),
        (
            "recommend",
            {"histories": [], "secret": 1},
            "the body has an unknown field; it may have histories, k, seen, allow",
        ),
        (
            "recommend",
            b'{"histories": [[NaN]]}',
            "the body is not JSON (JSON is malformed: invalid character (byte 16))",
        ),
        ("recommend", b'{"histories": [["\xff"]]}', "the body is not JSON (Invalid UTF-8 encoded string)"),
        ("recommend", b'{"histories": [["\\ud800"]]}', "the body is not JSON (Input data was truncated)"),
        ("recommend", b"", "the body is not JSON (Input data was truncated)"),
        ("recommend", b'{"histories":' + b"[" * 1900, "histories[0][0]: expected int | str, got array"),
        ("recommend", {"histories": [[2**63]]}, "histories[0][0]: expected int <= 9223372036854775807"),
        ("similar", {"items": ["a", None]}, "items[1]: expected int | str, got null"),
        ("similar", {"items": ["secret"], "unknown": "error"}, "items[0] is unknown to dot"),
        ("similar", {"items": [], "histories": []}, "the body has an unknown field; it may have items, k, unknown"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(path: str, asked: Any, message: str) -> None:
    service = Service(dot())
    answer = service.post(f"/{path}", asked)
    assert answer.status == 422 and answer.json["error"].startswith(message)
    assert "\n" not in answer.json["error"] and "secret" not in answer.json["error"] + service.printed.getvalue()


def test_of_a_field_that_comes_twice_the_last_counts() -> None:
    found = Service(dot()).post("/recommend", b'{"histories": [["a"]], "k": 5, "histories": [["b"]], "k": 1}')
    assert [items for items, _ in rows(found)] == [["b"]]


def test_paths_methods_and_content_types_that_are_not_there() -> None:
    service = Service(dot())
    assert [service.get(path).status for path in ("/", "/recommend/", "/health/../metrics", "/%00")] == [404] * 4
    refused = service.get("/recommend", "PUT")
    assert (refused.status, refused.headers["allow"]) == (405, "POST") and "error" in refused.json
    assert service.get("/health", "POST").status == 405
    for kind, status in (
        ("text/plain", 415),
        ("", 415),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
    ):
        headers = {"content-type": kind}
        assert asyncio.run(ask(service.app, "POST", "/recommend", b'{"histories": []}', headers)).status == status


def test_bodies_that_are_too_long_or_late() -> None:
    async def answers() -> list[Answer]:
        service, good = Service(dot()), b'{"histories": [["b"]]}'
        asked: list[tuple[Any, dict[str, str]]] = [
            (good, {"content-length": "2001"}), (good, {"content-length": "9" * 5000}), ([b" " * 1000] * 3, {}),
            ([good[:5], None], {}), ([good[:5], good[5:]], {}), (b" " * 1900 + good, {"content-length": "x"}),
        ]  # fmt: skip
        return [await ask(service.app, "POST", "/recommend", body, headers) for body, headers in asked]

    found = asyncio.run(answers())
    assert [answer.status for answer in found] == [413, 413, 413, 408, 200, 200]
    assert [answer.headers.get("connection") for answer in found] == ["close"] * 4 + [None] * 2
    assert found[3].json == {"error": "the body did not arrive within 0.2 seconds"}


def test_a_place_is_free_again_whatever_became_of_a_request() -> None:
    service, good = Service(dot(), concurrency=2), b'{"histories": [["b"]]}'

    async def rounds() -> Counter[int]:
        found: Counter[int] = Counter()
        for _ in range(5):
            bodies: list[Any] = [[good[:5], None], b"nonsense", [b" " * 1500] * 2, good, good, good]
            answers = await asyncio.gather(*(ask(service.app, "POST", "/recommend", body) for body in bodies))
            found.update(answer.status for answer in answers)
        return found

    found = asyncio.run(rounds())
    assert found[503] > 0 and found[200] > 0 and found[408] == 5 and sum(found.values()) == 30
    assert "seqrec_requests_under_way 0\n" in service.get("/metrics").body.decode()


def test_a_model_that_fails_is_an_error_of_the_service_without_its_words() -> None:
    model = dot()
    service = Service(model)
    model.engine.top = None  # type: ignore[method-assign, assignment]
    answer = service.post("/recommend", {"histories": [["a"]]})
    assert answer.status == 500 and answer.json == {"error": "the service failed; its log says where"}
    assert [line["event"] for line in service.log if "level" in line] == ["TypeError"]
    assert "recommend.py:" in service.log[0]["at"]


def test_pages_say_what_is_served_and_what_was_done() -> None:
    service = Service(dot())
    service.post("/recommend", {"histories": [["b"], [], ["x"]], "k": 6})
    service.post("/recommend", {"histories": 1})
    health = service.get("/health").json
    assert health == {"status": "ok", "model": "dot", "version": "1.2", "fingerprint": "dot", "items": 6}
    lines = service.get("/metrics").body.decode().splitlines()
    assert 'seqrec_requests_total{route="/recommend",status="200"} 1' in lines
    assert 'seqrec_requests_total{route="/recommend",status="422"} 1' in lines
    assert 'seqrec_request_seconds_bucket{route="/recommend",le="+Inf"} 2' in lines
    for name, count in (("lists", 3), ("unknown_items", 1), ("empty_histories", 2), ("short_lists", 0), ("batches", 1)):
        assert f"seqrec_{name}_total {count}" in lines
    document = service.get("/openapi.json").json
    assert set(document["paths"]) == {"/recommend", "/similar", "/health", "/metrics", "/openapi.json"}
    assert document["components"]["schemas"]["Recommend"]["properties"]["k"]["maximum"] == 50
    assert service.get("/health", "HEAD").status == 200


@pytest.mark.parametrize(
    ("count", "seed"), [pytest.param(400, 0, id="some"), pytest.param(10_000, 1, id="many", marks=pytest.mark.slow)]
)
def test_no_body_breaks_the_service(count: int, seed: int) -> None:
    service = Service(dot())
    fuzzer = Fuzzer(service.get("/openapi.json").json, ITEMS, seed)

    async def answers() -> list[Answer]:
        asked = [(form, body) for form in ("Recommend", "Similar") for body in fuzzer.bodies(form, count // 2)]
        return [await ask(service.app, "POST", f"/{form.lower()}", body) for form, body in asked]

    found = asyncio.run(answers())
    statuses = Counter(answer.status for answer in found)
    print(
        dict(statuses), Counter(answer.json["error"].partition(":")[0][:30] for answer in found if answer.status != 200)
    )
    assert set(statuses) == {200, 413, 422} and min(statuses[200], statuses[422]) > count / 4
    assert not any(MARK.encode() in answer.body or b"\n" in answer.body for answer in found)
    assert MARK not in service.printed.getvalue() and not [line for line in service.log if "level" in line]
    assert json.loads(service.post("/recommend", {"histories": [["b"]]}).body)["lists"][0]["items"][0] == "b"

"""A service in its own process: it stops in time whatever is under way, and answers what HTTP allows."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

import numpy as np
import pytest

from tests.serving.process import Served, all_of, request, served

ASKED = {"histories": [["b"]], "k": 2}


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    with served(concurrency=64, connections=100) as service:
        yield service


def until(connection: socket.socket, end: bytes) -> bytes:
    found = b""
    while not found.endswith(end):
        found += connection.recv(65536)
    return found


def levels(service: Served) -> list[Any]:
    """Lines of the log that tell of trouble."""
    return [line for line in service.log if "level" in line]


def test_requests_under_way_are_answered_before_a_stop() -> None:
    with served(seconds=0.6) as service:
        idle, busy, half_a_head = service.connect(), service.connect(), service.connect()
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert until(idle, b"}").startswith(b"HTTP/1.1 200 OK")
        half_a_head.sendall(b"POST /recommend HTTP/1.1\r\nHo")
        busy.sendall(request(ASKED))
        service.wait_for(1)
        status, seconds = service.stop()
        assert status == 0 and seconds < 2.5
        answer = all_of(busy)
        assert b"200 OK" in answer and json.loads(answer.split(b"\r\n\r\n")[1])["lists"]
        assert all_of(idle) == all_of(half_a_head) == b""
    assert service.log[-1]["event"] == "stopped" and not levels(service)
    assert [line["status"] for line in service.log if line.get("method") == "POST"] == [200]


def test_a_body_that_never_ends_does_not_hold_up_a_stop() -> None:
    with served(body_seconds=0.5) as service:
        half = [service.connect() for _ in range(2)]
        half[0].sendall(request(ASKED)[:-5])
        half[1].sendall(request(ASKED, more="Transfer-Encoding: chunked\r\n").replace(b"Content-Length", b"X")[:-5])
        service.wait_for(2)
        status, seconds = service.stop()
        assert status == 0 and seconds < 2.5
        assert [all_of(connection).split(b"\r\n")[0] for connection in half] == [b"HTTP/1.1 408 Request Timeout"] * 2
    assert not levels(service)


def test_what_takes_longer_than_a_stop_waits_is_cut_off_without_a_traceback() -> None:
    with served(seconds=3.0, body_seconds=0.5, stop_seconds=1) as service:
        busy = service.connect()
        busy.sendall(request(ASKED))
        service.wait_for(1)
        status, seconds = service.stop()
        assert status == 0 and seconds < 5  # what the model is at ends first
        assert all_of(busy).startswith(b"HTTP/1.1 503 ")
    assert [line["event"] for line in levels(service)] == [
        "Cancel 1 running task(s), timeout graceful shutdown exceeded"
    ]


def test_a_head_that_never_ends_and_an_idle_connection_are_closed() -> None:
    with served(idle_seconds=1) as service:
        connections = [service.connect() for _ in range(3)]
        connections[1].sendall(b"POST /recommend HTTP/1.1\r\nHost: x\r\n")
        connections[2].sendall(request(ASKED) + b"POST /rec")
        started = time.perf_counter()
        answers = [all_of(connection) for connection in connections]
        assert time.perf_counter() - started < 10
        assert answers[:2] == [b"", b""] and answers[2].count(b"HTTP/1.1 200 OK") == 1
        assert service.stop()[0] == 0
    assert not levels(service)


def test_many_clients_get_their_own_answers(running: Served) -> None:
    """40 clients ask 25 times each; every answer must be the one to its own question."""
    letters, wrong = "abcdef", []

    def client(number: int) -> None:
        random = np.random.default_rng(number)
        with running.connect() as connection, connection.makefile("rb") as answers:
            for _ in range(25):
                letter = letters[random.integers(6)]
                k = int(random.integers(1, 6))
                connection.sendall(request({"histories": [[letter]] * 2, "k": k}))
                head = b"".join(iter(answers.readline, b"\r\n"))
                found = json.loads(answers.read(int(re.findall(rb"content-length: (\d+)", head)[0])))
                if [(row["items"][0], len(row["items"])) for row in found["lists"]] != [(letter, k)] * 2:
                    wrong.append((letter, k, found))

    started = time.perf_counter()
    with ThreadPoolExecutor(40) as clients:
        list(clients.map(client, range(40)))
    print(f"{1000 / (time.perf_counter() - started):.0f} requests a second, clients included")
    assert not wrong


def test_answers_on_an_open_connection_do_not_wait_for_acknowledgements(running: Served) -> None:
    seconds = []
    with running.connect() as connection:
        for _ in range(40):
            started = time.perf_counter()
            connection.sendall(request(ASKED))
            until(connection, b"}}")
            seconds.append(time.perf_counter() - started)
    assert sorted(seconds[20:])[5] < 0.03  # of a quarter of them; with Nagle's delay all take 40 ms and more


def test_requests_that_come_at_once_are_answered_in_their_order(running: Served) -> None:
    asked = [{"histories": [["b"]], "k": k} for k in (3, 1, 2)]
    with running.connect() as connection:
        connection.sendall(b"".join(map(request, asked[:2])) + request(asked[2], more="Connection: close\r\n"))
        answers = all_of(connection).split(b"HTTP/1.1 ")[1:]
    assert [answer[:6] for answer in answers] == [b"200 OK"] * 3
    lists = [json.loads(answer.split(b"\r\n\r\n")[1])["lists"][0]["items"] for answer in answers]
    assert [len(items) for items in lists] == [3, 1, 2]


def test_a_body_that_is_too_long_is_refused_before_it_is_read(running: Served) -> None:
    declared = request(ASKED).replace(b"Content-Length: 30", b"Content-Length: 2001")
    assert declared != request(ASKED)
    chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
    chunked = request(ASKED, more="Transfer-Encoding: chunked\r\n").replace(b"Content-Length", b"X")
    for sent in (declared, chunked.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + chunk * 2):
        with running.connect() as connection:
            connection.sendall(sent)
            answer = all_of(connection)  # which ends, although the rest never came
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert json.loads(answer.split(b"\r\n\r\n")[1]) == {"error": "the body has more than 2000 bytes"}


def test_too_many_requests_are_sent_away_and_the_others_answered() -> None:
    with served(seconds=0.5, concurrency=4) as service, ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(service.post, [ASKED] * 12))
        answers.sort(key=lambda answer: answer[0])
        found = {status: [body for _, body in group] for status, group in groupby(answers, lambda answer: answer[0])}
        assert set(found) == {200, 503} and len(found[200]) >= 4
        assert all(body["lists"][0]["items"] == ["b", "a"] for body in found[200])
        assert found[503][0] == {"error": "4 requests are under way; try again in a second"}
        assert service.post(ASKED)[0] == 200
        assert service.stop()[0] == 0


@pytest.mark.parametrize("count", [pytest.param(300, id="some"), pytest.param(5000, id="many", marks=pytest.mark.slow)])
def test_noise_on_the_wire_leaves_the_service_alive(running: Served, count: int) -> None:
    """Requests that are cut, doubled, and mixed with other bytes: never a 500, never a traceback."""
    random, good = np.random.default_rng(0), request(ASKED)
    for _ in range(count):
        noise = bytearray(good * int(random.integers(1, 3)))
        for _ in range(random.integers(0, 6)):
            place = int(random.integers(len(noise)))
            noise[place : place + int(random.integers(0, 4))] = random.bytes(int(random.integers(0, 5)))
        with running.connect() as connection:
            connection.sendall(bytes(noise[: int(random.integers(1, len(noise) + 1))]))
            connection.shutdown(1)
            assert b"HTTP/1.1 5" not in all_of(connection)
    assert running.post(ASKED)[0] == 200


def test_the_log_says_nothing_of_what_was_asked(running: Served) -> None:
    """The last test of this file: it stops the service that the others have used."""
    running.post({"histories": [["secret-item"]], "secret-field": 1})
    running.post({"histories": [["secret-item"]]}, "/secret-path")
    running.post({"histories": [["secret-item"]], "k": 3})
    assert running.stop()[0] == 0
    text = json.dumps(running.log)
    assert "secret" not in text and "Traceback" not in text
    assert {"lists": 1, "k": 3, "unknown_items": 1, "empty_histories": 1}.items() <= running.log[-2].items()
    assert {line["event"] for line in levels(running)} <= {"Invalid HTTP request received."}

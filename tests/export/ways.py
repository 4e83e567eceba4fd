"""The ways in which the lists of one trained model can be had."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from tests.export.browser import Browser, served
from tests.integration.forked import Forked
from tests.integration.running import main_here

Lists = list[list[str]]
"""Of ten items each, by the text of their ids."""

RUNNER = """
import json, sys
for name in ("torch", "polars", "seqrec"):
    sys.modules[name] = None  # importing it fails now
sys.path.insert(0, "")
import recommend
print(json.dumps(recommend.load().recommend(json.loads(sys.argv[1]), 10).items))
"""


def of_predict(run: Path, histories: Sequence[Sequence[Any]], place: Path) -> Lists:
    """``task=predict`` of a run, from file to file."""
    table = {"user": range(len(histories)), "item": [[str(item) for item in history] for history in histories]}
    pl.DataFrame(table, schema_overrides={"item": pl.List(pl.String)}).write_parquet(place / "users.parquet")
    words = [f"task.run={run}", "task.input=users.parquet", "task.output=recs.jsonl", "task.part_users=4"]
    main_here(place, "task=predict", *words)
    rows = [json.loads(line) for line in (place / "recs.jsonl").read_text().splitlines()]
    assert [row["user"] for row in rows] == list(range(len(histories)))
    return texts([row["items"] for row in rows])


def of_runner(bundle: Path, histories: Sequence[Sequence[Any]]) -> Lists:
    """``recommend.py`` of a bundle, in a process of its own with numpy and onnxruntime."""
    command = [sys.executable, "-I", "-c", RUNNER, json.dumps(histories)]
    done = subprocess.run(command, cwd=bundle, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return texts(json.loads(done.stdout))


def of_service(folder: Path, histories: Sequence[Sequence[Any]], place: Path) -> Lists:
    """``task=serve`` of a run or a bundle, over HTTP."""
    with serving(folder, place) as (_, port):
        answer = post(port, {"histories": histories, "k": 10})
    return texts([row["items"] for row in answer["lists"]])


def of_page(bundle: Path, histories: Sequence[Sequence[Any]], browser: Browser) -> Lists:
    """What the page of a bundle shows."""
    found = []
    with served(bundle) as address:
        for history in histories:
            ids = ",".join(map(str, history))
            browser.open("about:blank")  # else only the part behind # changes, and the page stays
            browser.open(f"{address}/index.html#history={ids}")
            found.append(browser.shown(ids))
    return found


def texts(lists: Sequence[Sequence[Any]]) -> Lists:
    """Ids as they are compared."""
    return [[str(item) for item in row] for row in lists]


@contextmanager
def serving(folder: Path, place: Path) -> Iterator[tuple[Forked, int]]:
    """A service of a run or a bundle, in a process of its own that is started in ``place``, and its port."""
    server = Forked(place, "task=serve", f"task.bundle={folder}", "task.port=0")
    until = time.monotonic() + 120
    try:
        while not (server.printed.exists() and "listening" in server.printed.read_text()):
            assert time.monotonic() < until and server.poll() is None, server.printed.read_text()
            time.sleep(0.02)
        yield server, int(json.loads(server.printed.read_text())["url"].rpartition(":")[2])
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGTERM)
            server.finish(timeout=30)


def post(port: int, question: Any) -> Any:
    """The answer of a service of this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/recommend", json.dumps(question), {"content-type": "application/json"})
    answer = connection.getresponse()
    found = json.loads(answer.read())
    connection.close()
    assert answer.status == 200, found
    return found

"""A finished run, or its bundle, is served by main.py, with the answers that seqrec.load gives."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import seqrec
from seqrec.serving.recommend import LoadedModel
from seqrec.serving.service import limits
from seqrec.serving.service.server import listening
from tests.choice import thorough_but
from tests.export.conftest import Bundles
from tests.export.ways import post, serving
from tests.inference.conftest import Finished
from tests.integration.forked import ENVIRONMENT
from tests.integration.running import MAIN, main_here
from tests.serving.asking import LIMITS, Service

WITHOUT_TORCH = """
import sys
from seqrec.cli.main import check
from seqrec.cli.resolvers import register_resolvers
register_resolvers()
check(["task=serve", "task.bundle=nothing"])
import seqrec.tasks.serve, seqrec.serving.service.server
assert not {"torch", "pytorch_lightning", "matplotlib", "polars"} & set(sys.modules)
"""

NO_TORCH = """
import sys
sys.modules["torch"] = sys.modules["pytorch_lightning"] = None
from seqrec.cli.main import entry
entry()
"""


@pytest.fixture(scope="module")
def folder(finished: dict[str, Finished]) -> Path:
    return finished["sasrec"].folder


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A working directory in which nothing may be left."""
    yield tmp_path
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("printed-")] == []


def questions(model: LoadedModel) -> list[dict[str, Any]]:
    ids = model.items.raw
    histories = [list(ids[start : start + 1 + start % 24]) for start in range(0, 45, 7)]
    asked: list[dict[str, Any]] = [
        {"histories": [[str(item) for item in history] for history in histories], "k": 20},
        {"histories": [*histories, ["nobody"], []], "k": 5, "seen": "remove", "block": ids[:10]},
        {"histories": histories[:3], "allow": ids[5:12], "k": 10, "seen": "keep"},
    ]
    users = [] if model.users is None else [*model.users.raw[:20], "nobody"]
    return [question | ({"users": users[-len(question["histories"]) :]} if users else {}) for question in asked]


@pytest.mark.parametrize("name", ["sasrec", "caser"])
def test_a_service_of_a_run_gives_its_lists(finished: dict[str, Finished], name: str) -> None:
    agree(finished[name].folder)


@pytest.mark.parametrize("quant", thorough_but(["none"], ["none", "int8"]))
def test_a_service_of_a_bundle_gives_its_lists(bundles: Bundles, quant: str) -> None:
    agree(bundles["gru4rec", quant])


def agree(folder: Path) -> None:
    """See that a service of a folder answers as ``seqrec.load`` of it does."""
    model, service = seqrec.load(folder), Service(seqrec.load(folder), body_bytes=10**6)
    for question in questions(model):
        expected = model.recommend(**question)
        found = service.post("/recommend", question).json
        assert [row["items"] for row in found["lists"]] == expected.items and found["counts"] == expected.counts
        assert any(row["items"] for row in found["lists"])
    items = model.items.raw[:5]
    found = service.post("/similar", {"items": items, "k": 7}).json
    assert [row["items"] for row in found["lists"]] == model.similar(items, 7).items


def test_a_process_serves_a_run_until_it_is_stopped(folder: Path, elsewhere: Path) -> None:
    model = seqrec.load(folder)
    question = questions(model)[0]
    with serving(folder, elsewhere) as (server, port):
        found = post(port, question)
        assert [row["items"] for row in found["lists"]] == model.recommend(**question).items
        server.send_signal(signal.SIGTERM)
        status, printed = server.finish(timeout=30)
    lines = [json.loads(line) for line in printed.splitlines()]  # nothing else was printed
    assert status == 0 and [line.get("event") for line in lines] == ["listening", None, "stopped"]
    assert lines[1]["lists"] == len(question["histories"])


def test_a_bundle_is_served_where_torch_is_missing(bundles: Bundles, elsewhere: Path) -> None:
    folder = bundles["gru4rec", "none"]
    words = ["task=serve", f"task.bundle={folder}", "task.port=0"]
    command = [sys.executable, "-c", NO_TORCH, *words]
    with subprocess.Popen(
        command, cwd=elsewhere, env=os.environ | ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        port = int(json.loads(line)["url"].rpartition(":")[2])
        model = seqrec.load(folder)
        question = questions(model)[0]
        found = post(port, question)
        process.terminate()
        _, errors = process.communicate(timeout=30)
    assert [row["items"] for row in found["lists"]] == model.recommend(**question).items
    assert (process.returncode, errors) == (0, "")


def refused(capsys: pytest.CaptureFixture[str], place: Path, *words: str) -> str:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setenv("HYDRA_FULL_ERROR", "0")
        main_here(place, "task=serve", *words)
    assert end.value.code == 2
    line: str = capsys.readouterr().err
    assert line.startswith("error: ") and line.count("\n") == 1
    return line


def test_what_cannot_be_served_is_said_in_one_line(
    folder: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = f"task.bundle={elsewhere / 'nothing'}"
    assert "holds no finished run" in refused(capsys, elsewhere, nothing, "task.port=0")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = refused(capsys, elsewhere, nothing, f"task.port={port}")
    assert f"127.0.0.1 port {port} cannot be listened on (address already in use); choose" in line
    line = refused(capsys, elsewhere, nothing, "data=beauty")
    assert line == "error: data=beauty: what task=serve opens has its own data; leave it out\n"
    assert "index is 'hnsw'; choose exact, int8 or ivf" in refused(
        capsys, elsewhere, f"task.bundle={folder}", "task.port=0", "task.index=hnsw"
    )
    assert "task.limits has no key 'q'" in refused(capsys, elsewhere, nothing, "task.limits.q=0")
    assert "has its own model; leave it out" in refused(capsys, elsewhere, nothing, "model=sasrec")
    assert "task.limits.k is 'x'" in refused(capsys, elsewhere, nothing, "task.limits.k=x")


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", 99999), ("192.0.2.1", 0), ("no such host", 0), ("fe80::1", 0)]
)
def test_an_address_that_is_none_of_this_machine_is_refused(host: str, port: int) -> None:
    with pytest.raises(
        ValueError, match=rf"^{host} port {port} cannot be listened on \(.+\); choose others with task.host"
    ):
        listening(host, port)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"k": 3}, "limits has k; give exactly body_bytes, body_seconds"),
        (LIMITS | {"k": 0}, "limits.k is 0; it must be more than 0"),
        (LIMITS | {"body_seconds": 3.0}, "limits.stop_seconds is 3; it must be more than limits.body_seconds, 3.0"),
    ],
)
def test_limits_that_mean_nothing_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        limits.Limits.of(values)


def test_a_missing_package_is_named(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqrec.serving.extras.find_spec", lambda name: None if name == "msgspec" else name)
    line = refused(capsys, elsewhere, "task.bundle=nothing")
    assert line == "error: a service needs msgspec; run: pip install 'seqrec[serving]'\n"


def test_the_command_itself_needs_no_torch() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH], cwd=MAIN.parent, check=True)

"""The section "Serve" of docs/deploy.md: its requests are answered, its commands and numbers are those in use."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from pathlib import Path
from typing import Any

import yaml

from seqrec.cli.main import check
from seqrec.cli.resolvers import register_resolvers
from tests.serving.asking import Answer, Service, ask
from tests.serving.dot import dot

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8").partition("\n## Serve\n")[2].partition("\n## ")[0]
LIMITS = yaml.safe_load((ROOT / "conf" / "task" / "serve.yaml").read_text())["task"]["limits"]


def called(service: Service, command: str) -> Answer:
    """What curl would show."""
    words = shlex.split(command)[1:]
    path = words[0].removeprefix("localhost:8000")
    given = dict(zip(words[1::2], words[2::2], strict=True))
    headers = dict([given["-H"].split(": ")]) if "-H" in given else {}
    body = given.get("-d", "").encode()
    return asyncio.run(ask(service.app, "POST" if body else "GET", path, body, headers))


def keys(value: Any) -> Any:
    """The shape of an answer."""
    if isinstance(value, dict):
        return {name: keys(part) for name, part in value.items()}
    return [keys(value[0])] if isinstance(value, list) and value and isinstance(value[0], dict) else type(value)


def test_requests_are_answered_as_shown() -> None:
    service = Service(dot())
    answers = [called(service, line) for line in re.findall(r"^curl .*$", SECTION, re.MULTILINE)]
    assert [answer.status for answer in answers] == [200] * 6
    shown = json.loads(re.findall(r"```json\n(.*?)```", SECTION, re.DOTALL)[0])
    assert keys(answers[0].json) == keys(answers[2].json) == keys(shown)


def test_the_numbers_are_those_of_the_configuration() -> None:
    text = " ".join(SECTION.split())
    for name, words in {
        "body_seconds": "`task.limits.body_seconds`, 5 |", "body_bytes": "`task.limits.body_bytes`, a million",
        "histories": "`task.limits.histories` (256)", "history": "`.history` (1000 items)", "k": "`.k` (200)",
        "concurrency": "`task.limits.concurrency` (64)", "connections": "`.connections` (256)",
        "stop_seconds": "`task.limits.stop_seconds`, 10,",
    }.items():  # fmt: skip
        assert words in text
        assert str(int(LIMITS[name])) in words or (name, LIMITS[name]) == ("body_bytes", 1_000_000)
    assert int(re.findall(r"TimeoutStopSec=(\d+)", SECTION)[0]) > LIMITS["stop_seconds"]
    error = Service(dot(), **LIMITS).post("/recommend", {"histories": [], "k": 201})
    assert error.body.decode() in text.replace('": "', '":"')


def test_commands_of_other_systems_are_understood() -> None:
    register_resolvers()
    unit = shlex.split(re.findall(r"^ExecStart=(.*)$", SECTION, re.MULTILINE)[0])[1:]
    container = json.loads(re.findall(r"`CMD (\[.*?\])`", SECTION)[0])[1:]
    for words in (unit, container):
        check(words)

"""Where two configurations differ."""

from __future__ import annotations

from typing import Any

from seqrec.runs.configuration import differences

ONE: dict[str, Any] = {
    "model": {"dim": 64, "loss": None},
    "data": {"root": "a", "path": "x"},
    "trainer": {"devices": 1},
}


def test_differing_keys_are_named_and_those_of_the_machine_do_not_count() -> None:
    other = {"model": {"dim": 32, "loss": {"weight": 1}, "more": 2}, "data": {"root": "b", "path": "x"}, "trainer": {}}
    assert differences(ONE, other) == ["model.dim", "model.loss", "model.more"]
    assert differences(ONE, ONE) == []
    assert differences(ONE["data"], other["data"], "data") == []

"""Where two configurations differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from seqrec.runs.configuration import configuration_hash, differences

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


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"trainer": {"devices": 4}}, True),
        ({"data": {"root": "elsewhere", "path": "x"}}, True),
        ({"data": {"root": "a", "path": "y"}}, False),
        ({"model": {"dim": 64, "loss": 1}}, False),
        ({"seed": 1}, False),
    ],
)
def test_the_hash_is_that_of_the_run_and_not_of_its_machine(tmp_path: Path, change: dict[str, Any], same: bool) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(ONE))
    before = configuration_hash(path)
    path.write_text(yaml.safe_dump({**ONE, **change}, sort_keys=False))
    assert (configuration_hash(path) == before) is same

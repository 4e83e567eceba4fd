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


def test_what_an_older_version_did_not_store_is_what_its_callable_does_by_itself() -> None:
    protocol = {"_target_": "seqrec.metrics.Protocol", "name": "all_items", "remove_seen": False}
    leave_one_out = {"_target_": "seqrec.data.splits.LeaveOneOut"}
    cut = {"_target_": "seqrec.data.splits.TimeCut", "validation": 0.8, "test": 0.9}
    data = {"_target_": "seqrec.data.sets.synthetic.Synthetic", "num_users": 60}
    stored = {"protocol": protocol, "data": data, "model": {"dim": 1}}
    asked = {
        "protocol": protocol | {"cutoffs": [5, 10, 20], "measures": [], "references": ["popularity", "markov"]},
        "data": data | {"split": leave_one_out},
        "model": {"dim": 1},
    }
    assert differences(asked, stored) == []
    for other, key in (
        (asked | {"protocol": protocol | {"measures": ["map"]}}, "protocol.measures"),
        (asked | {"data": data | {"split": cut}}, "data.split"),
        (asked | {"data": data | {"split": leave_one_out | {"target": "last"}}}, "data.split"),
        (asked | {"data": data | {"noise": 0.5}}, "data.noise"),  # it has no default
        (asked | {"model": {"dim": 1, "more": 0}}, "model.more"),  # nothing says what calls it
        (asked | {"protocol": protocol | {"unknown": False}}, "protocol.unknown"),
    ):
        assert differences(other, stored) == [key]
    assert differences(stored, asked) != [], "what was stored counts"


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

"""The files for ``wandb sweep``: the command line that an agent makes of each is one that this version understands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from seqrec.cli.aliases import normalise
from seqrec.cli.conf import CONF
from seqrec.cli.overrides import check_configuration

FILES = sorted((CONF / "wandb").glob("sweep_*.yaml"))


def ends(parameter: dict[str, Any]) -> list[Any]:
    """The values that an agent may get, of a range its ends."""
    return list(parameter["values"]) if "values" in parameter else [parameter["min"], parameter["max"]]


def command(file: dict[str, Any], values: dict[str, Any]) -> list[str]:
    """What an agent calls, after the program."""
    args = create_sweep_command_args({"args": {key: {"value": value} for key, value in values.items()}})
    words: list[str] = []
    for word in file["command"][3:]:
        words += args["args_no_hyphens"] if word == "${args_no_hyphens}" else [word]
    return words


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_value_is_understood(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    file = yaml.safe_load(path.read_text(encoding="utf-8"))
    parameters = {key: ends(parameter) for key, parameter in file["parameters"].items()}
    first = {key: values[0] for key, values in parameters.items()}
    jobs = [first] + [first | {key: value} for key, values in parameters.items() for value in values[1:]]
    for values in jobs:
        words, notes = normalise(command(file, values))
        config = check_configuration(words, targets=values is first)
        assert not notes
    assert config.hydra.runtime.choices.logger == "wandb"
    assert file["metric"] == {"name": f"best/{config.model.monitor}", "goal": "maximize"}


def test_null_is_none_for_an_agent_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    assert normalise(["patience=None", "data.name=NoneSuch"])[0] == ["patience=null", "data.name=NoneSuch"]
    monkeypatch.delenv("WANDB_SWEEP_ID")
    assert normalise(["patience=None"])[0] == ["patience=None"]


def test_ranges_are_those_of_the_search() -> None:
    assert [path.stem for path in FILES] == sorted(
        path.stem.replace("tune_", "sweep_") for path in (CONF / "sweep").glob("tune_*.yaml")
    )
    for path in FILES:
        listed = yaml.safe_load(path.read_text(encoding="utf-8"))["parameters"]
        search = yaml.safe_load((CONF / "sweep" / f"{path.stem.replace('sweep_', 'tune_')}.yaml").read_text())
        ranges = search["hydra"]["sweeper"]["params"]
        assert set(ranges) - {"model"} <= set(listed)
        for key in set(ranges) - {"model"}:
            written = ",".join(str(value) for value in ends(listed[key]))
            assert f"({written})" in ranges[key], key

"""The folder of a single run is chosen before its job begins, and its first command's record stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig

from seqrec.cli.overrides import check_configuration
from seqrec.cli.resolvers import register_resolvers
from seqrec.cli.traces import RECORD, RESUMED, Traces
from seqrec.runs.folder import LAST


@pytest.mark.parametrize("trained", [False, True])
def test_it_is_chosen_as_hydra_would_and_hydra_stays_as_it_was(
    tmp_path: Path, trained: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    register_resolvers()
    (tmp_path / "run" / LAST).parent.mkdir(parents=True)
    if trained:
        (tmp_path / "run" / LAST).touch()
    words = ["model=sasrec", *([f"resume={tmp_path / 'run'}"] if trained else [])]
    config = check_configuration(words, targets=False)
    before = HydraConfig.instance().cfg
    Traces().on_run_start(config)
    assert HydraConfig.instance().cfg is before
    assert Traces.before is not None
    chosen = config.hydra.run._get_node("dir")._value()
    assert (chosen == str(tmp_path / "run")) == trained
    assert trained or chosen.startswith("outputs/sasrec-synthetic-s0/")
    assert (Traces.before.names == frozenset(["checkpoints"])) == trained
    assert config.hydra.output_subdir == (RESUMED if trained else RECORD)

"""The smallest data there can be, for every model of conf/model: a result, or one line that says what is missing."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from seqrec.metrics import Protocol
from seqrec.training.build import build, load_data
from seqrec.training.catalog import with_catalog
from seqrec.training.fit import fit
from seqrec.training.stages import stages
from seqrec.training.start_check import check_evaluated
from tests.choice import thorough_but
from tests.factories import shrink

CONF = Path(__file__).parents[1] / "conf"
MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
COUNTING = ("markov", "popularity")
HISTORIES = {
    "three users, four items": [[1, 2, 3, 4], [2, 3, 4, 1], [4, 3, 2, 1]],
    "one evaluated user": [[1, 2, 3, 4], [1, 2], [3, 4]],
    "histories of three": [[1, 2, 3], [2, 3, 4], [4, 1, 2]],
    "nobody evaluated": [[1, 2], [2, 3], [3, 4]],
}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module", params=MODELS)
def config(request: pytest.FixtureRequest) -> DictConfig:
    """The configuration of a small run on a log of one's own."""
    words = [f"model={request.param}", "data=custom", "data.path=log.txt", "data.min_user=1", "data.min_item=1"]
    words += ["data.attributes=about.json"] if request.param in ("mssr", "s3rec") else []
    words += ["trainer=cpu", "trainer.max_epochs=1", "callbacks.progress=null"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        found = compose("config", words)
    OmegaConf.set_struct(found, False)
    found.name = request.param
    shrink(found.model)
    if found.warm_start is not None:
        shrink(found.warm_start.model)
        found.warm_start.trainer.max_epochs = 1
    return found


def write(histories: list[list[int]], folder: Path) -> None:
    """A sequence file, and attributes of its items for the models that use them."""
    lines = [" ".join(map(str, [user, *history])) for user, history in enumerate(histories, start=1)]
    (folder / "log.txt").write_text("\n".join(lines) + "\n")
    items = sorted({item for history in histories for item in history})
    (folder / "about.json").write_text(json.dumps({str(item): [f"kind {item % 2}", "all"] for item in items}))


def outcome(config: DictConfig, folder: Path) -> dict[str, float]:
    """What the last stage of a run gives on the test split."""
    protocol, data = Protocol("all_items", remove_seen=False, cutoffs=[5, 10, 20]), load_data(config.data)
    check_evaluated(data)
    first, own = stages(with_catalog(config, data), folder)
    for stage in [*first, own]:
        stage.open()
        fitted = fit(build(stage.config.model, protocol, 0), load_data(stage.config.data), stage.config, stage.folder)
    return fitted.evaluate().test


@pytest.mark.parametrize("kind", thorough_but(["three users, four items"], list(HISTORIES)))
def test_a_result_or_one_line(config: DictConfig, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    write(HISTORIES[kind], tmp_path)
    own = OmegaConf.merge(config, {"data": {"cache_dir": str(tmp_path / "cache")}})
    assert isinstance(own, DictConfig)
    try:
        found = outcome(own, tmp_path / "run")
    except ValueError as refusal:
        assert "\n" not in str(refusal) and len(str(refusal)) > 40
        assert config.name not in COUNTING or kind in ("histories of three", "nobody evaluated")
        return
    assert all(math.isfinite(value) for value in found.values())
    assert kind != "nobody evaluated"

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
from tests.factories import shrink

CONF = Path(__file__).parents[1] / "conf"
MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
COUNTING = ("markov", "popularity")
HISTORIES = {
    "three users, four items": [[1, 2, 3, 4], [2, 3, 4, 1], [4, 3, 2, 1]],
    "one evaluated user": [[1, 2, 3, 4], [1, 2], [3, 4]],
    "one user": [[1, 2, 3, 4, 1]],
    "histories of three": [[1, 2, 3], [2, 3, 4], [4, 1, 2]],
    "one item": [[1, 1, 1, 1], [1, 1, 1, 1]],
    "nobody evaluated": [[1, 2], [2, 3], [3, 4]],
}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


def composed(model: str, histories: list[list[int]], folder: Path) -> DictConfig:
    """The configuration of a small run on a sequence file; its items have attributes where the model uses them."""
    lines = [" ".join(map(str, [user, *history])) for user, history in enumerate(histories, start=1)]
    (folder / "log.txt").write_text("\n".join(lines) + "\n")
    (folder / "about.json").write_text(json.dumps({str(item): [f"kind {item % 2}", "all"] for item in range(1, 5)}))
    words = [f"model={model}", "data=custom", f"data.path={folder / 'log.txt'}", f"data.cache_dir={folder / 'cache'}"]
    words += ["data.min_user=1", "data.min_item=1", "trainer=cpu", "trainer.max_epochs=1", "callbacks.progress=null"]
    words += [f"data.attributes={folder / 'about.json'}"] if model in ("mssr", "s3rec") else []
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", words)
    OmegaConf.set_struct(config, False)
    config.name = model
    shrink(config.model)
    if config.warm_start is not None:
        shrink(config.warm_start.model)
        config.warm_start.trainer.max_epochs = 1
    return config


def outcome(config: DictConfig, folder: Path) -> dict[str, float]:
    """What the last stage of a run gives on the test split."""
    protocol, data = Protocol("all_items", remove_seen=False, cutoffs=[5, 10, 20]), load_data(config.data)
    check_evaluated(data)
    first, own = stages(with_catalog(config, data), folder)
    for stage in first:
        stage.open()
        stage_data = load_data(stage.config.data)
        fit(build(stage.config.model, protocol, 0), stage_data, stage.config, stage.folder)
    return fit(build(own.config.model, protocol, 0), data, own.config, own.folder).evaluate().test


@pytest.mark.parametrize("kind", HISTORIES)
@pytest.mark.parametrize("model", MODELS)
def test_a_result_or_one_line(model: str, kind: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    try:
        found = outcome(composed(model, HISTORIES[kind], tmp_path), tmp_path / "run")
    except ValueError as refusal:
        assert "\n" not in str(refusal) and len(str(refusal)) > 40
        assert model not in COUNTING or kind in ("histories of three", "nobody evaluated")
        return
    assert all(math.isfinite(value) for value in found.values())
    assert kind != "nobody evaluated"

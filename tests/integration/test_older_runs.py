"""A run folder of version 0.1: today's code resumes it as that version would have, loads it and reads its result.

``tests/golden/run-0.1`` is the folder of one epoch of a tiny SASRec; ``resumed.json`` what version 0.1 reached after a
second one.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from seqrec.data.batch import Histories
from seqrec.inference import load
from seqrec.runs.kept import read_run
from tests.integration.comparison import metrics
from tests.integration.running import Run, main_here

pytestmark = pytest.mark.usefixtures("undrawn")

STORED = Path(__file__).parents[1] / "golden" / "run-0.1"


@pytest.fixture
def older(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STORED, tmp_path / "run"))


def test_it_is_resumed_to_the_same_numbers(run: Run, older: Path, tmp_path: Path) -> None:
    (older / "resumed.json").unlink()
    run(f"resume={older}", "trainer.max_epochs=2", f"data.cache_dir={tmp_path / 'cache'}")
    result = metrics(older)
    expected = json.loads((STORED / "resumed.json").read_text())
    assert {split: result[split] for split in ("val", "test")} == expected
    assert (result["epochs"], len(read_run(older).log)) == (2, 2)
    config = OmegaConf.load(older / "config.yaml")
    assert config.data._target_ == "seqrec.data.sets.synthetic.Synthetic"
    assert "last" in config.callbacks and config.logger == {}
    assert (older / "catalog.parquet").exists()


def test_auto_finds_it_unfinished(tmp_path: Path) -> None:
    """Its configuration has no key of later versions, such as ``data.split``; their defaults are what it ran with."""
    folder = tmp_path / "outputs/sasrec-synthetic-s0/2026-01-01_00-00-00"
    shutil.copytree(STORED, folder, ignore=shutil.ignore_patterns("*.json", "per_user.parquet"))
    data = ["num_users=60", "shortest=5", "longest=12", "num_items=20", "max_length=10", f"cache_dir={tmp_path}"]
    words = ["model=sasrec", "data=synthetic", "trainer=cpu", "trainer.max_epochs=2", *(f"data.{one}" for one in data)]
    words += [f"model.backbone.{one}" for one in ("dim=8", "ffn_dim=8", "num_heads=1")]
    main_here(tmp_path, *words, "split=leave_one_out", "resume=auto")
    result, expected = metrics(folder), json.loads((STORED / "resumed.json").read_text())
    assert {split: result[split] for split in ("val", "test")} == expected
    (folder / "metrics.json").unlink()
    main_here(tmp_path, *words, "split=users", "resume=auto", "+debug=fast")
    assert not (folder / "metrics.json").exists(), "another split is another run"


def test_its_model_scores_bare_histories_and_its_missing_ids_are_one_line(older: Path) -> None:
    scorer = load(older)
    scores = scorer.score(Histories(torch.tensor([[3, 1, 4], [2, 0, 0]])))
    assert scores.shape == (2, 20) and bool(scores.isfinite().all())
    with pytest.raises(ValueError, match=r"catalog\.parquet is missing, as in runs of older versions"):
        _ = scorer.catalog


def test_its_card_and_result_are_read(older: Path) -> None:
    stored = read_run(older)
    assert stored.card.protocol == "all_items"
    assert stored.metrics["epochs"] == 1

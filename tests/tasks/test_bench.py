"""task=bench: it times what an ordinary run does, and says what it timed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.running import main_here

WORLD = ["data=synthetic", "data.num_users=60", "data.num_items=50", "data.shortest=6", "data.longest=20"]


@pytest.mark.parametrize("model", ["sasrec", "icsrec", "easnrec"])
def test_bench_stores_its_figures(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["task=bench", f"model={model}", *WORLD, "task.epochs=2", "model.backbone.dim=16", "trainer=cpu"]
    clusters = ["model.num_clusters=5"] if model == "icsrec" else []
    folders = [f"hydra.run.dir={tmp_path / 'run'}", f"data.cache_dir={tmp_path / 'cache'}"]
    main_here(tmp_path, *arguments, *clusters, *folders)
    shown = capsys.readouterr().out
    result = json.loads((tmp_path / "run" / "bench.json").read_text())
    assert result["epochs_timed"] == 2
    assert 0 < result["seconds_per_step"] * result["steps_per_epoch"] <= result["seconds_per_epoch"]
    assert result["evaluation_seconds"] > 0 and result["peak_memory_mb"] > 0 and result["matmul_gflops"] > 0
    assert bool(result["phase_seconds"]) == (model != "easnrec")  # several optimizers have no common phases
    for name in ("pairs_per_epoch", "useful_tokens_per_second", "cpu_seconds_per_epoch", "threads"):
        assert name in shown and result[name] > 0

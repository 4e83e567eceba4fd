"""Every model learns the synthetic world better than the Markov chain; it takes minutes: ``pytest -m slow``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODELS = sorted(path.stem for path in (ROOT / "conf" / "model").glob("*.yaml"))
BEATEN = {"bpr": "popularity"}  # it does not know the order of a history
"""What a model must beat, where that is not the Markov chain."""


@pytest.mark.slow
@pytest.mark.parametrize("model", [model for model in MODELS if model not in ("markov", "popularity")])
def test_model_beats_the_references(model: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "main.py"), f"model={model}", "data=synthetic", f"hydra.run.dir={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"WANDB_MODE": "disabled"})
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads((tmp_path / "metrics.json").read_text())
    reached, wanted = (
        found["ndcg@10"] for found in (result["test"], result["references"][BEATEN.get(model, "markov")])
    )
    assert reached > wanted, f"NDCG@10 {reached:.4f}, but {BEATEN.get(model, 'markov')} has {wanted:.4f}"

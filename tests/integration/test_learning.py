"""Every model learns the synthetic world better than the Markov chain; it takes minutes: ``pytest -m slow``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from seqrec.data.markov_world import World, sample

ROOT = Path(__file__).parents[2]
MODELS = sorted(path.stem for path in (ROOT / "conf" / "model").glob("*.yaml"))
BEATEN = {"bpr": "popularity"}  # it does not know the order of a history
"""What a model must beat, where that is not the Markov chain."""


@pytest.mark.slow
@pytest.mark.parametrize("model", [model for model in MODELS if model not in ("markov", "popularity")])
def test_model_beats_the_references(model: str, tmp_path: Path) -> None:
    result = train(tmp_path, f"model={model}", "data=synthetic")
    reached, wanted = (
        found["ndcg@10"] for found in (result["test"], result["references"][BEATEN.get(model, "markov")])
    )
    assert reached > wanted, f"NDCG@10 {reached:.4f}, but {BEATEN.get(model, 'markov')} has {wanted:.4f}"


@pytest.mark.slow
@pytest.mark.parametrize("model", ["mssr", "s3rec"])
def test_attributes_help(model: str, tmp_path: Path) -> None:
    """In this world they say when an item is liked; the same attributes on other items say nothing."""
    world = World(num_items=150, num_types=1, branching=4, period=12, noise=0.1, seed=0)
    sequences = sample(world, num_users=400, shortest=15, longest=40, seed=0)
    histories = [items.tolist() for items in sequences.items.split(sequences.lengths.tolist())]
    lines = [" ".join(map(str, [user, *items])) for user, items in enumerate(histories, start=1)]
    (tmp_path / "log.txt").write_text("\n".join(lines))
    known = world.attributes
    shuffled = known[torch.randperm(len(known), generator=torch.Generator().manual_seed(0))]
    reached = [ndcg(model, attributes, tmp_path) for attributes in (known, shuffled)]
    assert reached[0] > reached[1], f"NDCG@10 {reached[0]:.4f}, but {reached[1]:.4f} with shuffled attributes"


def ndcg(model: str, attributes: Tensor, folder: Path) -> float:
    """What a model reaches on the log with given attributes ``(I, 2)`` of items 1 to I."""
    by_item = {str(item): [str(value) for value in row] for item, row in enumerate(attributes.tolist(), start=1)}
    (folder / "known.json").write_text(json.dumps(by_item))
    options = [f"data.path={folder / 'log.txt'}", f"data.attributes={folder / 'known.json'}", "data.min_item=1"]
    settings = [f"settings=train/{model}/synthetic"]
    found: float = train(folder / "run", f"model={model}", "data=custom", *options, *settings)["test"]["ndcg@10"]
    return found


def train(folder: Path, *options: str) -> dict[str, Any]:
    """The results of one run of ``main.py``."""
    command = [sys.executable, str(ROOT / "main.py"), *options, f"hydra.run.dir={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"WANDB_MODE": "disabled"})
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return result

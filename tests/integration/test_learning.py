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
from omegaconf import OmegaConf

from seqrec.data.sets.markov_world import World, sample

ROOT = Path(__file__).parents[2]
MODELS = sorted(path.stem for path in (ROOT / "conf" / "model").glob("*.yaml"))
BEATEN = {"bpr": "popularity"}  # it does not know the order of a history
"""What a model must beat, where that is not the Markov chain."""
UNSEEN_ONLY = ("coserec", "iclrec")  # never see an item of a user's own history as a negative, so they rank it high


@pytest.mark.slow
@pytest.mark.parametrize("model", [model for model in MODELS if model not in ("markov", "popularity")])
def test_model_beats_the_references(model: str, tmp_path: Path) -> None:
    protocol = "fenrec" if model in UNSEEN_ONLY else "easnrec"
    result = train(tmp_path, f"model={model}", "data=synthetic", f"protocol={protocol}")
    reached, wanted = (
        found["ndcg@10"] for found in (result["test"], result["references"][BEATEN.get(model, "markov")])
    )
    assert reached > wanted, f"NDCG@10 {reached:.4f}, but {BEATEN.get(model, 'markov')} has {wanted:.4f}"


@pytest.mark.slow
@pytest.mark.parametrize(("model", "batch_size"), [("s3rec", 64), ("mssr", 128)])
def test_attributes_help(model: str, batch_size: int, tmp_path: Path) -> None:
    """The same run on the synthetic world with its attributes and with those of other items in their place."""
    options: Any = OmegaConf.load(ROOT / "conf" / "data" / "synthetic.yaml")
    tables = ("num_items", "num_types", "branching", "period", "noise", "world_seed")
    world = World(*(options[name] for name in tables))
    sequences = sample(world, options.num_users, options.shortest, options.longest, options.world_seed)
    histories = [items.tolist() for items in sequences.items.split(sequences.lengths.tolist())]
    lines = [" ".join(map(str, [user, *items])) for user, items in enumerate(histories, start=1)]
    (tmp_path / "log.txt").write_text("\n".join(lines))
    order = torch.randperm(world.num_items, generator=torch.Generator().manual_seed(0))
    reached = {}
    for name, attributes in (("right", world.attributes), ("shuffled", world.attributes[order])):
        by_item = {str(item): [str(value) for value in row] for item, row in enumerate(attributes.tolist(), start=1)}
        (tmp_path / f"{name}.json").write_text(json.dumps(by_item))
        data = ["data=custom", f"data.path={tmp_path / 'log.txt'}", f"data.attributes={tmp_path / name}.json"]
        settings = [f"settings={model}/synthetic", f"data.batch_size={batch_size}"]
        reached[name] = train(tmp_path / name, f"model={model}", *data, *settings)["test"]["ndcg@10"]
    assert reached["right"] > reached["shuffled"], reached


def train(folder: Path, *options: str) -> dict[str, Any]:
    """The results of one run of ``main.py``."""
    command = [sys.executable, str(ROOT / "main.py"), *options, f"hydra.run.dir={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"WANDB_MODE": "disabled"})
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return result

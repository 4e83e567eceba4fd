"""Do two versions of the code give the same numbers, to the last bit?

    python tests/bench/same_numbers.py store before     # in the checkout without the change
    python tests/bench/same_numbers.py store after      # in the checkout with it
    python tests/bench/same_numbers.py compare before after

``store`` trains every model of ``conf/model``, or those named after the folder, for 2 epochs on 300 synthetic users
with seeds 0 and 1, about ten seconds a run. It writes ``<model>-<seed>.json``: metrics, a digest of the users' ranks
and one of the weights of every checkpoint. What is stored is not trained again. Both sides need the same machine and
libraries.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import torch

ROOT = Path(__file__).parents[2]
SEEDS = (0, 1)
SIZE = ["data=synthetic", "data.num_users=300", "trainer=cpu", "trainer.max_epochs=2"]
MODELS = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "conf" / "model").glob("*.yaml"))}


def train(model: str, seed: int, folder: Path) -> subprocess.CompletedProcess[str]:
    """Train a model, and the one that it starts from where there is one."""
    first = ["warm_start.trainer.max_epochs=2"] if "/warm_start" in MODELS[model] else []
    command = [sys.executable, "main.py", f"model={model}", f"seed={seed}", f"hydra.run.dir={folder}", *SIZE, *first]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def weights_digest(checkpoint: Path) -> str:
    """SHA-256 of the names and bytes of all weights."""
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")["state_dict"]
    content = hashlib.sha256()
    for name in sorted(state):
        content.update(name.encode() + state[name].contiguous().numpy().tobytes())
    return content.hexdigest()


def numbers(folder: Path) -> dict[str, Any]:
    """What must not change of the run in ``folder``, by name."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    for part in (metrics, metrics.get("warm_start", {})):
        part.pop("seconds", None)
        part.pop("configuration", None)  # its hash: a key that is new changes it, and no number
    users = pl.read_parquet(folder / "per_user.parquet").write_csv()
    found = {"metrics": metrics, "ranks of users": hashlib.sha256(users.encode()).hexdigest()}
    return found | {str(path.relative_to(folder)): weights_digest(path) for path in sorted(folder.rglob("*.ckpt"))}


def store(folder: Path, models: list[str]) -> bool:
    """Train and write what is not there yet; returns whether all went well."""
    folder.mkdir(parents=True, exist_ok=True)
    well = True
    for model, seed in [(model, seed) for model in models for seed in SEEDS]:
        path = folder / f"{model}-{seed}.json"
        if path.exists():
            continue
        with tempfile.TemporaryDirectory() as run:
            done = train(model, seed, Path(run))
            if done.returncode == 0:
                path.write_text(json.dumps(numbers(Path(run)), indent=1) + "\n", encoding="utf-8")
        print(f"{path.stem} stored" if path.exists() else f"{path.stem} failed: {done.stderr[-500:]}", flush=True)
        well = well and path.exists()
    return well


def compare(before: Path, after: Path) -> bool:
    """Print what differs of the runs that both folders hold; returns whether nothing does."""
    sides = [{path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")} for folder in (before, after)]
    both, alone = sorted(sides[0].keys() & sides[1].keys()), sorted(sides[0].keys() ^ sides[1].keys())
    different = 0
    for run in both:
        one, two = sides[0][run], sides[1][run]
        names = [name for name in sorted(one.keys() | two.keys()) if one.get(name) != two.get(name)]
        if names:
            different += 1
            print(f"{run}: {', '.join(names)}")
    print(f"{len(both)} runs compared, {different} differ, {len(alone)} in one folder only {' '.join(alone)}".rstrip())
    return bool(both) and not different


def main() -> bool:
    """Run the command line; returns whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["store", "compare"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="store: models, all by default; compare: the second folder")
    given = parser.parse_args()
    if given.command == "compare":
        if len(given.names) != 1:
            parser.error("compare takes two folders")
        return compare(given.folder, Path(given.names[0]))
    if not set(given.names) <= MODELS.keys():
        parser.error(f"models are {', '.join(MODELS)}")
    return store(given.folder, given.names or list(MODELS))


if __name__ == "__main__":
    sys.exit(0 if main() else 1)

"""What a log of many interactions costs, from the file to training steps, and how that grows.

    python tests/bench/scale.py --millions 1 10

A generated log with a user and an item for every ten interactions is read, prepared and trained on: SASRec, width
64, generalised BCE with sampled items whose rows alone are moved. Each part runs in a process of its own. Nothing
else should run meanwhile. All figures are stored as JSON.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import resource
import shutil
import sys
import time
from pathlib import Path

import numpy
import polars
from hydra import compose, initialize_config_dir
from processes import ROOT, run

from seqrec.training.build import load_data

TRAINING = [
    "model=sasrec", "model/loss=gbce", "+overlay=sparse_items", "model.loss.num_negatives=16",
    "model.backbone.dim=64", "model.backbone.ffn_dim=256",
]  # fmt: skip


def main() -> None:
    """One line of figures a size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 10])
    parser.add_argument("--steps", type=int, default=100, help="training steps that are timed")
    parser.add_argument("--out", type=Path, default=Path("multirun/bench/scale"))
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)  # a child: prepare this log, print the figures
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(preparation(arguments.measure)))
        return
    figures = [measured(int(size * 1e6), arguments.steps, arguments.out.resolve()) for size in arguments.millions]
    (arguments.out / "scale.json").write_text(json.dumps(figures, indent=1))
    for name in figures[0]:
        print(f"{name:42}" + "".join(f"{figure[name]:>16,.2f}" for figure in figures))


def measured(interactions: int, steps: int, out: Path) -> dict[str, float]:
    """All figures of one size."""
    folder = out / f"{interactions}"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log.csv"
    write_log(interactions, log)
    shutil.rmtree(folder / "cache", ignore_errors=True)
    measuring = [sys.executable, str(Path(__file__).resolve()), "--measure", str(log)]
    cold, warm = (json.loads(run(measuring).splitlines()[-1]) for _ in range(2))
    budget = [f"trainer.limit_train_batches={steps}", "task.validation_batches=2", "task.epochs=1"]
    command = [sys.executable, "main.py", "task=bench", *options(log), *TRAINING, *budget]
    run([*command, f"hydra.run.dir={folder / 'bench'}"])
    bench = json.loads((folder / "bench" / "bench.json").read_text())
    return {
        **{name: cold[name] for name in ("interactions", "users", "items")},
        "file, bytes an interaction": log.stat().st_size / interactions,
        "preparation, s": cold["seconds"],
        "preparation, s a million interactions": cold["seconds"] / interactions * 1e6,
        "preparation, peak MB": cold["peak_mb"],
        "from the cache, s": warm["seconds"],
        "resident, bytes an interaction": warm["resident_bytes"] / interactions,
        "of these in use": warm["used_bytes"] / interactions,
        "training step, s": bench["seconds_per_step"],
        "training step, CPU s": bench["cpu_seconds_per_step"],
        "first batch, s": bench["first_batch_seconds"],
        "training, peak MB": bench["peak_memory_mb"],
        "top 10 of one user, s": bench["top10_of_one_user_seconds"],
    }


def write_log(interactions: int, path: Path) -> None:
    """Users with 5 interactions and more, items whose popularity falls with their rank, random order in time."""
    random = numpy.random.default_rng(0)
    users = items = interactions // 10
    user = numpy.concatenate([numpy.repeat(numpy.arange(users), 5), random.integers(users, size=interactions // 2)])
    weight = 1 / (numpy.arange(items) + 100.0)
    popular = random.choice(items, size=len(user) - items, p=weight / weight.sum())
    item = random.permutation(numpy.concatenate([numpy.arange(items), popular]))
    order = random.permutation(len(user))
    columns = {"user": user[order], "item": item, "time": numpy.arange(len(user))}
    polars.DataFrame(columns).write_csv(path)


def options(log: Path) -> list[str]:
    """The log as a data set; nothing is filtered."""
    return [
        "data=custom",
        f"data.path={log}",
        "data.min_user=1",
        "data.min_item=1",
        f"data.cache_dir={log.parent / 'cache'}",
    ]


def preparation(log: Path) -> dict[str, float]:
    """Figures of what comes before the model: the file, or its cache, the splits and the training windows."""
    before = resident_bytes()
    start = time.perf_counter()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        data = load_data(compose("config", [*options(log), "model=sasrec"]).data)
    windows = data.training_windows(0)
    seconds = time.perf_counter() - start
    sequences = data.sequences
    resident = resident_bytes() - before
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)  # hand back what the allocator keeps for later
    used = resident_bytes() - before
    assert len(windows) > 0
    return {
        "interactions": sequences.num_interactions,
        "users": sequences.num_users,
        "items": sequences.num_items,
        "seconds": seconds,
        "resident_bytes": resident,
        "used_bytes": used,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def resident_bytes() -> int:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    main()

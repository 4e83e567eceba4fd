"""What a log of many interactions costs, from the files to training steps and recommendations, and how that grows.

    python tests/bench/scale.py --millions 1 10 100

A generated log with a user and an item for every ten interactions is prepared from one csv file and from ten parquet
files, and trained on: SASRec, width 64, generalised BCE with sampled items whose rows alone are moved. Each part runs
in a process of its own, whose largest resident size is its peak; the log is removed at the end. Nothing else should
run meanwhile. 100 million interactions take 5 GB of disk and up to 12 GB of memory. All figures are stored as JSON.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import resource
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy
import polars
from hydra import compose, initialize_config_dir
from processes import ROOT, run

from seqrec.training.build import build, load_data
from seqrec.training.callbacks.clock import Clock
from seqrec.training.catalog import with_catalog
from seqrec.training.fit import fit
from seqrec.training.measure import seconds_of_top10
from seqrec.training.start_check import check_values

TRAINING = [
    "task=bench", "task.epochs=1", "trainer.limit_val_batches=0", "trainer=cpu",
    "model=sasrec", "model/loss=gbce", "+overlay=sparse_items", "model.loss.num_negatives=16",
    "model.backbone.dim=64", "model.backbone.ffn_dim=256",
]  # fmt: skip
PARTS = 10
BATCH = 64  # users of one call for recommendations


def main() -> None:
    """One column of figures a size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 10])
    parser.add_argument("--steps", type=int, default=100, help="training steps that are timed")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--out", type=Path, default=Path("multirun/bench/scale"))
    parser.add_argument("--child", choices=CHILDREN, help=argparse.SUPPRESS)  # what a process of its own does
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        figures = CHILDREN[arguments.child](arguments)
        print(json.dumps({**figures, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}))
        return
    columns = []
    for millions in arguments.millions:
        columns.append(measured(millions, arguments))
        (arguments.out / "scale.json").write_text(json.dumps(columns, indent=1))
    for name in columns[0]:
        print(f"{name:52}" + "".join(f"{column[name]:>16,.2f}" for column in columns))


def measured(millions: float, arguments: argparse.Namespace) -> dict[str, float]:
    """All figures of one size."""
    folder = arguments.out.resolve() / f"{millions}"
    shutil.rmtree(folder, ignore_errors=True)

    def child(name: str, log: Path) -> dict[str, float]:
        script = [sys.executable, str(Path(__file__).resolve()), "--child", name, "--log", str(log)]
        sizes = ["--millions", str(millions), "--steps", str(arguments.steps)]
        found = run([*script, *sizes], arguments.threads).splitlines()[-1]
        print(f"{millions} million, {name} {log.name}: {found}", flush=True)
        return json.loads(found)

    try:
        child("write", folder)
        parts = child("prepare", folder / "parts")
        cached = child("prepare", folder / "parts")
        trained = child("train", folder / "parts")
        child("write_text", folder)
        text = child("prepare", folder / "log.csv")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    rows = parts["interactions"]
    return {
        **{name: parts[name] for name in ("interactions", "users", "items")},
        "csv: bytes an interaction in the file": text["file_bytes"] / rows,
        "csv: preparation, s": text["seconds"],
        "csv: preparation, CPU s": text["cpu_seconds"],
        "csv: peak MB": text["peak_mb"],
        "csv: peak bytes an interaction": (text["peak_mb"] * 1e6 - text["start_bytes"]) / rows,
        "parquet: bytes an interaction in the files": parts["file_bytes"] / rows,
        "parquet: preparation, s": parts["seconds"],
        "parquet: preparation, CPU s": parts["cpu_seconds"],
        "parquet: peak MB": parts["peak_mb"],
        "parquet: peak bytes an interaction": (parts["peak_mb"] * 1e6 - parts["start_bytes"]) / rows,
        "from the cache, s": cached["seconds"],
        "from the cache, CPU s": cached["cpu_seconds"],
        "from the cache, peak MB": cached["peak_mb"],
        "prepared: resident bytes an interaction": cached["resident_bytes"] / rows,
        "prepared: of these in use": cached["used_bytes"] / rows,
        "training step, s": trained["step"],
        "training, first batch, s": trained["first_batch"],
        "training, peak MB": trained["peak_mb"],
        "top 10 of one user, s": trained["top10_of_one"],
        f"top 10 of {BATCH} users, s": trained["top10_of_batch"],
    }


def write(arguments: argparse.Namespace) -> dict[str, float]:
    """The log as parquet files, in the order of time.

    Users have ten interactions on average, items too; their popularity falls with a power of their rank.
    """
    random = numpy.random.default_rng(0)
    rows = int(arguments.millions[0] * 1e6) // PARTS
    users = items = rows * PARTS // 10
    (arguments.log / "parts").mkdir(parents=True, exist_ok=True)
    for number in range(PARTS):
        rank = (items * random.random(rows) ** 3).astype(numpy.int64)
        item = rank * 7919 % items  # so that an id says nothing; 7919 is a prime
        columns = {"user": random.integers(users, size=rows), "item": item}
        part = polars.DataFrame({**columns, "time": 1_500_000_000 + number * rows + numpy.arange(rows)})
        part.write_parquet(arguments.log / "parts" / f"part-{number}.parquet")
    return {}


def write_text(arguments: argparse.Namespace) -> dict[str, float]:
    """The same log as one csv file."""
    with (arguments.log / "log.csv").open("wb") as file:
        for number in range(PARTS):
            part = polars.read_parquet(arguments.log / "parts" / f"part-{number}.parquet")
            part.write_csv(file, include_header=number == 0)
    return {}


def options(log: Path) -> list[str]:
    """The log as a data set; nothing is filtered."""
    cache = f"data.cache_dir={log.parent / 'cache'}"
    return ["data=custom", f"data.path={log}", "data.min_user=1", "data.min_item=1", cache]


def prepare(arguments: argparse.Namespace) -> dict[str, float]:
    """What comes before the model: the files, or their cache, the splits and the training windows."""
    before = resident_bytes()
    start, cpu = time.perf_counter(), time.process_time()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        data = load_data(compose("config", [*options(arguments.log), "model=sasrec"]).data)
    windows = data.training_windows(0)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
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
        "cpu_seconds": cpu_seconds,
        "start_bytes": before,
        "resident_bytes": resident,
        "used_bytes": used,
        "file_bytes": sum(file.stat().st_size for file in (arguments.log, *arguments.log.glob("*")) if file.is_file()),
    }


def train(arguments: argparse.Namespace) -> dict[str, float]:
    """Training steps as ``main.py`` makes them, and the ten best of all items."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose(
            "config", [*options(arguments.log), *TRAINING, f"trainer.limit_train_batches={arguments.steps}"]
        )
    data = load_data(config.data)
    config = with_catalog(config, data)
    model, clock = build(config.model, check_values(config), seed=0), Clock()
    fit(model, data, config, arguments.log.parent / "run", watchers=[clock])
    return {
        "step": clock.loop[0] / clock.steps,
        "first_batch": clock.first_batch,
        "top10_of_one": seconds_of_top10(model, data, users=1, repeats=9),
        "top10_of_batch": seconds_of_top10(model, data, users=BATCH, repeats=1),
    }


def resident_bytes() -> int:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


CHILDREN: dict[str, Callable[[argparse.Namespace], dict[str, float]]] = {
    "write": write,
    "write_text": write_text,
    "prepare": prepare,
    "train": train,
}


if __name__ == "__main__":
    main()

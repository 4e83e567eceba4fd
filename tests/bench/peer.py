"""What the scripts of the peers share: their command line, and medians of what they time.

Imported inside a peer's own environment, so it needs torch alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import torch

WARM_UP = 3  # steps, and calls, before the clock counts

Step = tuple[float, float]
"""Wall and CPU seconds."""


def command_line() -> argparse.Namespace:
    """Where the interactions are, where the figures go, and the sizes of model and batch."""
    parser = argparse.ArgumentParser()
    parser.add_argument("interactions", type=Path, help="tab-separated user, item, place in the history")
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--max-length", type=int, default=50)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--dropout", type=float, default=0.5)
    parser.add_argument("--no-anomaly", action="store_true", help="RecBole: switch off torch's anomaly detection")
    return parser.parse_args()


def now() -> Step:
    """The clocks."""
    return time.perf_counter(), time.process_time()


def since(start: Step) -> Step:
    """What has passed."""
    wall, cpu = now()
    return wall - start[0], cpu - start[1]


def epoch(steps: list[Step], steps_per_epoch: int, pairs: int) -> dict[str, float]:
    """Figures of an epoch from the median of some steps; all steps of a peer have the same shape."""
    walls, cpus = (sorted(column) for column in zip(*steps[WARM_UP:], strict=True))
    return {
        "seconds_per_epoch": walls[len(walls) // 2] * steps_per_epoch,
        "cpu_seconds_per_epoch": cpus[len(cpus) // 2] * steps_per_epoch,
        "steps_per_epoch": steps_per_epoch,
        "pairs_per_epoch": pairs,
        "steps_timed": len(walls),
    }


def top10(recommend: Callable[[list[int]], object], num_users: int) -> dict[str, float]:
    """Median wall seconds of ``recommend(users)`` for one and for 1,024 users, numbered from 0."""
    result = {}
    for count, repeats, name in ((1, 100, "top10_of_one_user"), (1024, 5, "top10_of_1024_users")):
        seconds = []
        for first in range(0, (WARM_UP + repeats) * count, count):
            start = now()
            recommend([i % num_users for i in range(first, first + count)])
            seconds.append(since(start)[0])
        result[f"{name}_seconds"] = sorted(seconds[WARM_UP:])[repeats // 2]
    return result


def write(out: Path, figures: dict[str, float]) -> None:
    """Store the figures with what belongs to every run."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    out.write_text(json.dumps(figures | {"peak_memory_mb": peak, "threads": torch.get_num_threads()}))

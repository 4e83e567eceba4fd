"""What a recommendation costs: time of one user, the start of a process, and which instructions the processor has."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqrec.serving.recommend import LoadedModel

LENGTHS = (50, 8)
"""Histories that are timed: a long one, and a usual one of reviews."""

USEFUL = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm")
"""Names of instructions that make 8-bit products quick, in the words of Linux."""

FIRST_ANSWER = """
import json, sys, time
import recommend
model = recommend.load()
users = None if model.users is None else [model.users.raw[0]]
model.recommend([[model.items.raw[0]]], users=users)
lines = open("/proc/self/status") if sys.platform == "linux" else []
peak = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
print(json.dumps({"cpu_seconds": time.process_time(), "peak_mb": peak[0] if peak else None}))
"""


def instructions() -> dict[str, Any]:
    """The processor, and which of :data:`USEFUL` it has; None where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {"processor": platform.processor() or platform.machine(), "instructions": None, "vnni": None}
    said = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = set((said.get("flags") or said.get("Features") or "").split())
    return {
        "processor": said.get("model name") or platform.machine(),
        "instructions": [name for name in USEFUL if name in flags],
        "vnni": bool(flags & {"avx_vnni", "avx512_vnni", "amx_int8"}),
    }


def cpu_milliseconds(
    models: Mapping[str, LoadedModel], lengths: Iterable[int] = LENGTHS, histories: int = 40, rounds: int = 5
) -> dict[str, dict[int, tuple[float, float]]]:
    """CPU time from raw ids to a list of ten for one user: the median and the 99th percentile, in milliseconds.

    All models take turns, so that what else the machine does slows all of them.

    Args:
        models: by name, of one catalogue.
        lengths: of the histories, cut to what a model sees.
        histories: how many different ones.
        rounds: how often each is timed, after one round that is not.
    """
    any_model = next(iter(models.values()))
    draws, raw = np.random.default_rng(0), any_model.items.raw
    users = None if any_model.users is None else [any_model.users.raw[0]]
    asked = {n: [[[raw[i] for i in draws.integers(0, len(raw), n)]] for _ in range(histories)] for n in lengths}
    taken: dict[str, dict[int, list[int]]] = {name: {n: [] for n in asked} for name in models}
    for turn in range(rounds + 1):
        for n, some in asked.items():
            for name, model in models.items():
                for one in some:
                    before = time.process_time_ns()
                    model.recommend(one, users=users)
                    if turn:
                        taken[name][n].append(time.process_time_ns() - before)
    return {
        name: {n: (_milliseconds(times, 50), _milliseconds(times, 99)) for n, times in of_model.items()}
        for name, of_model in taken.items()
    }


def first_answer(folder: Path) -> dict[str, float | None]:
    """CPU seconds and peak memory (MB) of a new process up to its first list from a bundle, on one thread.

    Raises:
        ValueError: the process failed.
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", FIRST_ANSWER]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"{folder} gives no list in a process of its own: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, float | None] = json.loads(done.stdout)
    return found


def _milliseconds(times: list[int], percentile: int) -> float:
    return round(float(np.percentile(times, percentile)) / 1e6, 3)

"""A run that is killed at any file event and resumed equals the undisturbed one, and nothing half-written is left.

The points are drawn by ``SEQREC_FAULT_SEED`` (0); ``SEQREC_FAULT_POINTS`` says how many (5).
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration import fault
from tests.integration.comparison import assert_same_results, assert_same_state
from tests.integration.running import Run, arguments, folders

JOB = ["trainer.max_epochs=3", "data.num_users=120", "seed=11"]
SEED, POINTS = int(os.environ.get("SEQREC_FAULT_SEED", 0)), int(os.environ.get("SEQREC_FAULT_POINTS", 5))
PLACES = [(place + random.Random(SEED).random()) / POINTS for place in range(POINTS)]  # one in each part of the run


def killed_at(point: int, workplace: Path) -> subprocess.CompletedProcess[str]:
    folder = workplace / "outputs"
    words = [*arguments(workplace, *JOB), f"hydra.run.dir={folder}/sasrec-synthetic-s11/{point:04d}"]
    return subprocess.run(
        [sys.executable, fault.__file__, str(point), str(folder), *words],
        cwd=workplace, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(workplace: Path) -> tuple[Path, int]:
    """The run that nobody kills, and how many points it has."""
    done = killed_at(0, workplace)
    points = re.search(r"points: (\d+)", done.stderr)
    assert points, done.stderr
    return workplace / "outputs" / "sasrec-synthetic-s11" / "0000", int(points[1])


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place:.3f}")
def test_killed_and_resumed_equals_undisturbed(
    run: Run, workplace: Path, undisturbed: tuple[Path, int], place: float
) -> None:
    whole, points = undisturbed
    before = folders(workplace)
    killed = killed_at(1 + int(place * points), workplace)
    assert killed.returncode == -9, killed.stderr
    run(*JOB, "resume=auto")
    new = sorted(folders(workplace) - before)
    assert len(new) <= 2  # killed before the end of the first epoch it starts anew
    folder = new[-1] if (new[-1] / "metrics.json").exists() else new[0]
    assert_same_state(whole, folder)
    assert_same_results(whole, folder)
    assert not list(folder.rglob("*.partial"))

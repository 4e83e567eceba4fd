"""Runs of main.py: in this process, which saves the seconds of a start, or in one of their own."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

MAIN = Path(__file__).parents[2] / "main.py"
SMALL = ["model=sasrec", "data.num_users=200", "trainer=cpu", "patience=50"]
NARROW = ["model.backbone.dim=16", "model.backbone.ffn_dim=32"]

Run = Callable[..., Path]
"""``run(*overrides)``: main.py in this process; returns the run folder, or the sweep's for ``-m``."""


def arguments(workplace: Path, *overrides: str) -> list[str]:
    """A small training of SASRec on synthetic data, changed by ``overrides``; of two values the later counts.

    A run that is resumed by its folder knows its values.
    """
    if any(override.startswith("resume=/") for override in overrides):
        return list(overrides)
    flags = [override for override in overrides if override.startswith("-")]
    narrow = [] if any(o in overrides for o in ("model=popularity", "model=markov")) else NARROW
    other_data = any(o.startswith("data=") and o != "data=synthetic" for o in overrides)
    small = [value for value in SMALL if not (other_data and value.startswith("data."))]
    given = [*small, *narrow, f"data.cache_dir={workplace / 'cache'}", *overrides]
    values = {value.split("=")[0]: value for value in given if value not in flags}
    return flags + list(values.values())


def run_here(workplace: Path, *overrides: str) -> Path:
    """See :data:`Run`; exceptions reach the caller unless ``HYDRA_FULL_ERROR`` is 0."""
    before = folders(workplace)
    main_here(workplace, *arguments(workplace, *overrides))
    new = folders(workplace) - before
    resumed = [override.removeprefix("resume=") for override in overrides if override.startswith("resume=")]
    assert len(new) == 1 or resumed
    return new.pop() if new else Path(resumed[0])


def main_here(place: Path, *words: str) -> None:
    """main.py in this process, started in the folder ``place`` with these arguments and no others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(sys, "argv", [str(MAIN), *words])
        patch.setenv("WANDB_MODE", "offline")
        if "HYDRA_FULL_ERROR" not in os.environ:
            patch.setenv("HYDRA_FULL_ERROR", "1")
        GlobalHydra.instance().clear()
        runpy.run_path(str(MAIN), run_name="__main__")


def folders(workplace: Path) -> set[Path]:
    """Folders of single runs and of sweeps."""
    return set(workplace.glob("outputs/*/*")) | set(workplace.glob("multirun/*"))


def start(workplace: Path, *overrides: str) -> subprocess.Popen[str]:
    """main.py in a process of its own."""
    return subprocess.Popen(
        [sys.executable, str(MAIN), *arguments(workplace, *overrides)],
        cwd=workplace,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(MAIN.parent), "WANDB_MODE": "offline"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )


def heed_interrupts() -> None:
    """Let SIGINT reach a child even where the tests run in the background of a shell, which makes it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)

"""Runs of main.py in this process, which saves the seconds of a start; ``forked.py`` starts others."""

from __future__ import annotations

import os
import runpy
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from matplotlib.figure import Figure

from seqrec.reporting import figures

MAIN = Path(__file__).parents[2] / "main.py"
SMALL = ["model=sasrec", "data.num_users=200", "trainer=cpu", "patience=50"]
NARROW = ["model.backbone.dim=16", "model.backbone.ffn_dim=32"]

DOT = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
"""A PNG file of one pixel."""

Run = Callable[..., Path]
"""``run(*overrides)``: main.py in this process; returns the run folder, or the sweep's for ``-m``."""


def arguments(workplace: Path, *overrides: str) -> list[str]:
    """A small training of SASRec on synthetic data, changed by ``overrides``; of two values the later counts.

    A run that is resumed by its folder knows its values, and so does one that a task is given.
    """
    if any(override.startswith(("resume=/", "task.bundle=", "task.run=")) for override in overrides):
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


@contextmanager
def undrawn() -> Iterator[None]:
    """Runs make their pictures but leave out the drawing, which is a third of a small run's time.

    Each picture is a file of one pixel.
    """

    def leave_out(figure: Figure, path: Path, dpi: int = 150) -> None:
        path.write_bytes(DOT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "save", leave_out)
        yield

"""dashboard: one page about many runs, a file that works without a network."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from omegaconf import DictConfig

import seqrec
from seqrec.reporting.dashboard.collect import collect, is_sweep
from seqrec.reporting.dashboard.compared import compared
from seqrec.reporting.dashboard.content import content
from seqrec.reporting.dashboard.page import write_page
from seqrec.reporting.dashboard.papers import paper_tables
from seqrec.reporting.dashboard.workspace import FILES, views
from seqrec.reporting.terminal import console, from_here
from seqrec.training.cells import belongs

PAGE = "report.html"


def dashboard(
    config: DictConfig, runs: Sequence[str], output: str | None, wandb: str | None, send: bool, seed: int
) -> None:
    """Write the page about runs.

    Args:
        config: the whole configuration, of which the task alone counts.
        runs: folders of runs, or of many.
        output: folder of the page; None: that of the sweep where runs are one, else a new one in ``outputs/dashboard``.
        wandb: ``<entity>/<project>``, for which a workspace and a report are built too; None: neither.
        send: both to Weights & Biases.
        seed: of the bootstrap behind intervals.

    Raises:
        ValueError: what is wrong with a folder or an option, or nobody is logged in.
    """
    now = datetime.now()
    folders = [Path(str(name)).expanduser() for name in runs]
    collected = collect(folders)
    found = [compared(part, seed) for part in collected.parts]
    tables = paper_tables(collected, belongs)
    about = {"made": now.strftime("%Y-%m-%d %H:%M"), "version": seqrec.__version__}
    built = None if wandb is None else views(str(wandb), collected, [table.markdown() for table in tables])
    if send and built is None:
        raise ValueError("task.send=true: write task.wandb=<entity>/<project> too")
    place = _place(output, folders, now)
    place.mkdir(parents=True, exist_ok=True)
    write_page(place / PAGE, content(collected, found, tables, about))
    groups = [*(group for part in collected.parts for group in part.groups), *collected.unfinished]
    number = sum(len(group.entries) for group in groups)
    size = (place / PAGE).stat().st_size / 1e6
    said = f"{_many(number, 'run')} of {_many(len(groups), 'method')}"
    console.print(f"{said} in {from_here(place / PAGE)}, {size:.1f} MB", soft_wrap=True)
    if built is not None:
        built.write(place)
        console.print(f"what Weights & Biases would get in {from_here(place)}: {', '.join(FILES)}", soft_wrap=True)
        for address in built.send() if send else ():
            console.print(f"sent    {address}", soft_wrap=True)


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _place(output: str | None, folders: Sequence[Path], now: datetime) -> Path:
    if output is not None:
        return Path(output).expanduser()
    if len(folders) == 1 and is_sweep(folders[0]):
        return folders[0]
    return Path("outputs") / "dashboard" / now.strftime("%Y-%m-%d_%H-%M-%S")

"""bench_bundle: what bundles cost and how well they recommend, beside the run they are of, all in one process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from seqrec.export.quality import Quality, quality
from seqrec.functional.intervals import UserMean
from seqrec.opening import load
from seqrec.reporting.table import Cell, Table, over_users_caption
from seqrec.runs.files import write_json
from seqrec.serving.cost import LENGTHS, cpu_milliseconds, first_answer, instructions

RUN = "PyTorch"


def bench_bundle(
    config: DictConfig, run: str | None, bundles: Sequence[str], quality_users: int | None, output: str | None
) -> None:
    """Time one user on one thread, interleaved, and compare NDCG@10 on the test split of the run.

    Args:
        config: the whole configuration, of which the task alone counts.
        run: folder of the run that the bundles are of; None: bundles alone, without quality.
        bundles: folders; sizes are compared with the first.
        quality_users: how many test users; None: all; 0 leaves quality out.
        output: JSON file; None writes none.

    Raises:
        ValueError: what is wrong with an option, the run or a bundle.
    """
    if not bundles:
        raise ValueError("task.bundles names no bundle; give a list of folders, task.bundles=[a,b]")
    one_thread()
    folders = {name: Path(name).expanduser() for name in bundles}
    models = {name: load(folder) for name, folder in folders.items()}
    if run is not None:
        models = {RUN: load(Path(run).expanduser())} | models
    sizes = {name: sum(file.stat().st_size for file in folder.iterdir()) for name, folder in folders.items()}
    starts = {name: first_answer(folder) for name, folder in folders.items()}
    times = cpu_milliseconds(models, histories=60, rounds=10)
    judged: dict[str, Quality] = {}
    if run is not None and quality_users != 0:
        judged = quality(Path(run).expanduser(), models, quality_users)
    result = {
        **instructions(),
        "cpu_ms": {name: {str(n): list(pair) for n, pair in of.items()} for name, of in times.items()},
        "bytes": sizes,
        "first_answer": starts,
        "quality": {name: found._asdict() for name, found in judged.items()},
    }
    screen = Console(highlight=False, markup=False)
    screen.print(f"{result['processor']}, {' '.join(result['instructions'] or ['instructions unknown'])}")
    for table in (costs(times, sizes, starts), qualities(judged)):
        if table.rows:
            screen.print(table.text(), soft_wrap=True)
    if output is not None:
        write_json(Path(output).expanduser(), result)


def costs(times: dict[str, Any], sizes: dict[str, int], starts: dict[str, Any]) -> Table:
    """Of each model: CPU ms (median / 99th percentile) by length, size, and the start of a process."""
    first = next(iter(sizes.values()))
    rows: list[list[Cell]] = []
    for name, of_model in times.items():
        row: list[Cell] = [name, *(f"{of_model[n][0]:.2f} / {of_model[n][1]:.2f}" for n in LENGTHS)]
        if name in sizes:
            peak = starts[name]["peak_mb"]
            row += [f"{sizes[name] / 1e6:.2f}", f"{sizes[name] / first:.1%}", f"{starts[name]['cpu_seconds']:.2f}"]
            row.append(None if peak is None else f"{peak:.0f}")
        rows.append(row + [None] * (len(LENGTHS) + 5 - len(row)))
    return Table(["model", *(f"ms, {n} items" for n in LENGTHS), "MB", "of first", "start s", "start MB"], rows)


def qualities(judged: dict[str, Quality]) -> Table:
    """NDCG@10, and its ratio to the first with the interval of the paired difference."""
    rows: list[list[Cell]] = [
        [
            name,
            one.users,
            UserMean(one.ndcg, one.ndcg_error, one.users).interval() or one.ndcg,
            UserMean(one.ratio, one.error, one.users).interval() or one.ratio,
            f"{one.overlap:.3f}",
        ]
        for name, one in judged.items()
    ]
    return Table(["model", "users", "NDCG@10", "of PyTorch", "items in common"], rows, over_users_caption(rows))


def one_thread() -> None:
    """What is timed is one thread."""
    import torch

    torch.set_num_threads(1)

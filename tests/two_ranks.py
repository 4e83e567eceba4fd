"""Processes that talk: this one and one or two more, since each start of a process costs seconds of imports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import torch.distributed as dist
from torch.multiprocessing.spawn import start_processes

from tests.integration.forked import import_libraries

RANKS = 2
Task = Callable[[int, Path], None]


def on_both(task: Task, folder: Path) -> None:
    """``task(rank, folder)`` on both ranks of a group; ``task`` is a function that another process can import."""
    on_ranks(RANKS, task, folder)


def on_ranks(size: int, task: Task, folder: Path) -> None:
    """``task(rank, folder)`` on all ranks of a group of ``size``."""
    import_libraries()
    others = start_processes(_other, (size, task, folder), nprocs=size - 1, join=False, start_method="forkserver")
    _member(0, size, task, folder)
    while not others.join():
        pass


def _other(index: int, size: int, task: Task, folder: Path) -> None:
    _member(1 + index, size, task, folder)


def _member(rank: int, size: int, task: Task, folder: Path) -> None:
    store = f"file://{folder / 'store'}"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=size, timeout=timedelta(seconds=120))
    try:
        task(rank, folder)
        dist.barrier()
    finally:
        dist.destroy_process_group()

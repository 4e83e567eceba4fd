"""What parts of a training and of a recommendation cost, and what the machine can do in the same hour."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytorch_lightning as pl
import torch

from seqrec.data.batch import Histories
from seqrec.data.datamodule import SequenceDataModule
from seqrec.methods.evaluation import top_items
from seqrec.methods.ranker import Ranker

WARM_UP = 3  # batches before the clock starts


def done(device: torch.device) -> tuple[float, float]:
    """Wall and CPU seconds since some start, once ``device`` has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter(), time.process_time()


def since(start: tuple[float, float], device: torch.device) -> tuple[float, float]:
    """Wall and CPU seconds since ``start``, see :func:`done`."""
    wall, cpu = done(device)
    return wall - start[0], cpu - start[1]


@torch.inference_mode()
def seconds_of_top10(model: Ranker, data: SequenceDataModule, users: int, repeats: int) -> float:
    """Median wall seconds of the ten best of all items for some users, in batches of the evaluation."""
    windows, num_items = data.splits["test"], data.sequences.num_items
    model.eval()
    model.hold()
    seconds = []
    for first in range(0, (1 + repeats) * users, users):
        rows = torch.arange(first, first + users) % len(windows)
        start = time.perf_counter()
        for part in rows.split(data.eval_batch_size):
            batch = windows.batch(part, data.max_length)
            histories = Histories(batch.items.to(model.device), batch.user.to(model.device))
            top_items(model.score, histories, num_items, min(10, num_items))[0].cpu()
        seconds.append(time.perf_counter() - start)
    model.release()
    return sorted(seconds[1:])[repeats // 2]


def phases(trainer: pl.Trainer, model: Ranker, data: SequenceDataModule) -> dict[str, float]:
    """Median wall seconds a batch of gathering, of the training step's forward pass and loss, and of backward.

    Args:
        trainer: its precision is used.
        model: on the device that is timed.
        data: batches are of its size.
    """
    if not model.automatic_optimization:
        return {}
    windows = data.training_windows(0)
    generator = torch.Generator().manual_seed(0)
    seconds: dict[str, list[float]] = {"gather": [], "forward_and_loss": [], "backward": []}
    model.train()
    with _alone(model):
        for _ in range(WARM_UP + 10):
            rows = torch.randperm(len(windows), generator=generator)[: data.batch_size]
            t = [done(model.device)[0]]
            batch = model.transfer_batch_to_device(windows.batch(rows, data.max_length), model.device, 0)
            model.zero_grad()
            t.append(done(model.device)[0])
            with trainer.precision_plugin.forward_context():
                loss = model.training_step(batch, 0)
            t.append(done(model.device)[0])
            if isinstance(loss, torch.Tensor):
                loss.backward()
            t.append(done(model.device)[0])
            for name, begin, end in zip(seconds, t, t[1:], strict=False):
                seconds[name].append(end - begin)
    return {name: sorted(values[WARM_UP:])[len(values[WARM_UP:]) // 2] for name, values in seconds.items()}


@contextmanager
def _alone(model: Ranker) -> Iterator[None]:
    """The model without its trainer: outside of a fit Lightning refuses to log, without a trainer it logs nothing."""
    trainer, model.trainer = model.trainer, None
    try:
        yield
    finally:
        model.trainer = trainer


def matmul_peak(device: torch.device, size: int = 2048) -> float:
    """GFLOP/s of a float32 product of two square matrices on ``device``, best of five."""
    a, b = torch.randn(size, size, device=device), torch.randn(size, size, device=device)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        (a @ b).sum().item()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in MB; of the device's allocator where there is one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3

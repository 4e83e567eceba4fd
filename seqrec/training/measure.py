"""What parts of a training and of a recommendation cost, and what the machine can do in the same hour."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from seqrec.data.batch import Histories
from seqrec.data.datamodule import SequenceDataModule
from seqrec.methods.evaluation import top_items
from seqrec.methods.ranker import Ranker

WARM_UP = 3  # batches before the clock starts


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


def phases(model: Ranker, data: SequenceDataModule) -> dict[str, float]:
    """Median wall seconds a batch of gathering, of the training step's forward pass and loss, and of backward."""
    if not model.automatic_optimization:
        return {}
    windows = data.training_windows(0)
    generator = torch.Generator().manual_seed(0)
    seconds: dict[str, list[float]] = {"gather": [], "forward_and_loss": [], "backward": []}
    model.train()
    with _alone(model):
        for _ in range(WARM_UP + 10):
            rows = torch.randperm(len(windows), generator=generator)[: data.batch_size]
            t = [time.perf_counter()]
            batch = windows.batch(rows, data.max_length)
            model.zero_grad()
            t.append(time.perf_counter())
            loss = model.training_step(batch, 0)
            t.append(time.perf_counter())
            if isinstance(loss, torch.Tensor):
                loss.backward()
            t.append(time.perf_counter())
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

"""bench: what an epoch and an evaluation cost, by phase, beside what the machine can do in the same run."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from seqrec.data.batch import Batch
from seqrec.data.datamodule import SequenceDataModule
from seqrec.methods.base import Recommender
from seqrec.reporting.terminal import console
from seqrec.runs.result import write_json
from seqrec.tasks.train import build, prepare
from seqrec.training.quiet import silence_libraries

WARM_UP = 3  # batches before the clock starts


class _Clock(pl.Callback):
    """Wall and CPU seconds of batches and of whole epochs.

    Attributes:
        epochs: (wall, CPU) seconds of each training epoch, validation not counted.
        loops: the same from the first batch to the last, without what a model does before them.
        evaluations: (wall, CPU) seconds of each full validation.
        first_batch: wall seconds from the start of fitting to the end of the first batch.
        tokens: learnt and valid positions seen in the last epoch.
    """

    def __init__(self) -> None:
        self.epochs: list[tuple[float, float]] = []
        self.loops: list[tuple[float, float]] = []
        self.evaluations: list[tuple[float, float]] = []
        self.first_batch = 0.0
        self.tokens = self.pairs = self.steps = 0
        self.fit_start = self.epoch_start = self.loop_start = self.validation_start = (0.0, 0.0)
        self.in_validation = self.loop = (0.0, 0.0)

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start."""
        self.fit_start = _now()

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Reset the epoch's counts."""
        self.epoch_start, self.in_validation = _now(), (0.0, 0.0)
        self.tokens = self.pairs = self.steps = 0

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int) -> None:
        """Start the clock of the steps."""
        if batch_idx == 0:
            self.loop_start = _now()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count what the batch held."""
        if not self.first_batch:
            self.first_batch = _since(self.fit_start)[0]
        self.tokens += int((batch.items != 0).sum())
        self.pairs += int((batch.next_items != 0).sum())
        self.steps += 1
        self.loop = _since(self.loop_start)

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the validation's clock."""
        self.validation_start = _now()

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Stop the validation's clock."""
        self.in_validation = _since(self.validation_start)
        self.evaluations.append(self.in_validation)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Stop the epoch's clock."""
        wall, cpu = _since(self.epoch_start)
        self.epochs.append((wall - self.in_validation[0], cpu - self.in_validation[1]))
        self.loops.append(self.loop)


def bench(config: DictConfig, epochs: int, validation_batches: int | None = None) -> float:
    """Train a few whole epochs through the ordinary path and report medians; returns seconds per epoch.

    Args:
        config: the whole configuration.
        epochs: how many.
        validation_batches: how many of a validation; None: all.
    """
    silence_libraries()
    folder = Path(HydraConfig.get().runtime.output_dir)
    pl.seed_everything(config.seed, verbose=False)
    started = _now()
    data, protocol = prepare(config)
    preparation = _since(started)[0]
    model = build(config, protocol)
    clock = _Clock()
    trainer: pl.Trainer = instantiate(
        config.trainer,
        max_epochs=epochs,
        limit_val_batches=validation_batches,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        callbacks=[clock],
    )
    trainer.fit(model, datamodule=data)
    wall, cpu = _median(clock.epochs)
    loop_wall, loop_cpu = _median(clock.loops)
    evaluation = _median(clock.evaluations)
    peak = matmul_peak(model.device)
    result = {
        "seconds_per_epoch": wall,
        "cpu_seconds_per_epoch": cpu,
        "seconds_per_step": loop_wall / clock.steps,
        "cpu_seconds_per_step": loop_cpu / clock.steps,
        "steps_per_epoch": clock.steps,
        "pairs_per_epoch": clock.pairs,
        "useful_tokens_per_second": clock.tokens / wall,
        "evaluation_seconds": evaluation[0],
        "evaluation_cpu_seconds": evaluation[1],
        "top10_of_one_user_seconds": seconds_of_top10(model, data, users=1, repeats=100),
        "top10_of_1024_users_seconds": seconds_of_top10(model, data, users=1024, repeats=5),
        "preparation_seconds": preparation,
        "first_batch_seconds": clock.first_batch,
        "peak_memory_mb": peak_memory_mb(),
        "phase_seconds": phases(model, data),
        "matmul_gflops": peak,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "epochs_timed": len(clock.epochs),
    }
    write_json(folder / "bench.json", result)
    for name, value in result.items():
        console.print(f"{name:28} {_shown(value)}")
    console.print(f"stored in {folder / 'bench.json'}", soft_wrap=True)
    return wall


@torch.inference_mode()
def seconds_of_top10(model: Recommender, data: SequenceDataModule, users: int, repeats: int) -> float:
    """Median wall seconds of the ten best of all items for some users, in batches of the evaluation."""
    windows = data.splits["test"]
    model.eval()
    model.on_test_start()
    seconds = []
    for first in range(0, (1 + repeats) * users, users):
        rows = torch.arange(first, first + users) % len(windows)
        start = time.perf_counter()
        for part in rows.split(data.eval_batch_size):
            batch = Batch(*(x.to(model.device) for x in windows.batch(part, data.max_length)))
            model.score(batch).topk(min(10, model.backbone.num_items)).indices.cpu()
        seconds.append(time.perf_counter() - start)
    model.on_test_end()
    return sorted(seconds[1:])[repeats // 2]


def phases(model: Recommender, data: SequenceDataModule) -> dict[str, float]:
    """Median wall seconds a batch of gathering, of the training step's forward pass and loss, and of backward."""
    if not model.automatic_optimization:
        return {}
    windows = data.training_windows(0)
    generator = torch.Generator().manual_seed(0)
    model.train()
    seconds: dict[str, list[float]] = {"gather": [], "forward_and_loss": [], "backward": []}
    model.log = model.log_dict = _silent  # type: ignore[method-assign]  # no trainer runs here
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


def _silent(*args: Any, **kwargs: Any) -> None:
    """In place of logging."""


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(start: tuple[float, float]) -> tuple[float, float]:
    wall, cpu = _now()
    return wall - start[0], cpu - start[1]


def _median(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """Medians of both columns."""
    columns = [sorted(column) for column in zip(*pairs, strict=True)]
    return columns[0][len(pairs) // 2], columns[1][len(pairs) // 2]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(part)}" for name, part in value.items())
    return (
        f"{value:,.4g}"
        if isinstance(value, float) and value < 1000
        else f"{value:,.0f}"
        if isinstance(value, int | float)
        else str(value)
    )

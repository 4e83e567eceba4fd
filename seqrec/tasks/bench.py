"""bench: what an epoch and an evaluation cost, by phase, beside what the trainer's device can do in the same run."""

from __future__ import annotations

import time
from typing import Any

import torch
from omegaconf import DictConfig

from seqrec.nn.sharding import make_whole
from seqrec.reporting.terminal import console
from seqrec.runs.files import write_json
from seqrec.training.build import build
from seqrec.training.callbacks.clock import Clock, median
from seqrec.training.fit import fit
from seqrec.training.measure import matmul_peak, peak_memory_mb, phases, seconds_of_top10
from seqrec.training.process import prepare_process
from seqrec.training.run import open_run


def bench(config: DictConfig, epochs: int, validation_batches: int | None = None) -> float:
    """Train a few whole epochs through the ordinary path and report medians; returns seconds an epoch.

    Args:
        config: the whole configuration; ``conf/task/bench.yaml`` gives the trainer the two numbers that follow.
        epochs: how many.
        validation_batches: how many of a validation; None: all.
    """
    prepare_process()
    started = time.perf_counter()
    run = open_run(config)
    preparation = time.perf_counter() - started
    model = build(run.config.model, run.protocol, run.config.seed)
    clock = Clock()
    trainer = fit(model, run.data, run.config, run.folder, watchers=[clock]).trainer
    device = trainer.strategy.root_device
    model.to(device)  # from which Lightning takes it after the training
    make_whole(model)
    wall, cpu = median(clock.epochs)
    loop_wall, loop_cpu = median(clock.loops)
    evaluation = median(clock.evaluations)
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
        "matmul_gflops": matmul_peak(device),
        "top10_of_one_user_seconds": seconds_of_top10(model, run.data, users=1, repeats=100),
        "top10_of_1024_users_seconds": seconds_of_top10(model, run.data, users=1024, repeats=5),
        "preparation_seconds": preparation,
        "first_batch_seconds": clock.first_batch,
        "peak_memory_mb": peak_memory_mb(),
        "phase_seconds": phases(trainer, model, run.data),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "epochs_timed": len(clock.epochs),
    }
    run.folder.mkdir(parents=True, exist_ok=True)
    write_json(run.folder / "bench.json", result)
    for name, value in result.items():
        console.print(f"{name:28} {_shown(value)}")
    console.print(f"stored in {run.folder / 'bench.json'}", soft_wrap=True)
    return wall


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(part)}" for name, part in value.items())
    if isinstance(value, float) and value < 1000:
        return f"{value:,.4g}"
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)

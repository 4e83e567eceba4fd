"""The configuration of an update: the run's model and protocol, grown histories, and this command's budget."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from seqrec.data.sequences import Sequences
from seqrec.metrics import Protocol
from seqrec.runs.folder import HISTORIES
from seqrec.runs.sizes import resized
from seqrec.training.resume import MACHINE
from seqrec.training.run import plain
from seqrec.training.start_check import check_callbacks, check_values
from seqrec.training.strategies import check_accelerator, check_strategy, divides
from seqrec.training.update.finished import FinishedRun

BASE = ("windows", "max_length", "batch_size", "eval_batch_size", "num_workers", "seed", "cache_dir", "name")
NOW = ("callbacks", "logger", "patience", "patience_steps", "task", "resume")
TRAINER = (*(key.partition(".")[2] for key in MACHINE), "max_epochs", "max_steps", "max_time", "limit_train_batches")
"""What is taken of this command: its machine and its budget."""


def check(config: DictConfig, overrides: Sequence[str], epochs: int, window: int) -> None:
    """Refuse options that mean nothing, before anything is read.

    Args:
        config: as composed.
        overrides: arguments of the command line.
        epochs, window: of the task.

    Raises:
        ValueError: what was given and what is allowed.
    """
    for name, value, least in (("epochs", epochs, 0), ("window", window, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"task.{name} is {value!r}; it must be a whole number of at least {least}")
    if config.resume is not None:
        raise ValueError("resume=...: an update that was stopped is begun again; leave resume out")
    for word in overrides:
        if not re.match(r"[+~]*(task|data\.|trainer|callbacks|logger|patience|patience_steps|resume|hydra)\b", word):
            raise ValueError(f"{word}: an update takes that from the run in task.run; leave it out")
    if config.trainer.get("devices") not in (1, "1", "auto") or int(config.trainer.get("num_nodes", 1)) > 1:
        raise ValueError(f"trainer.devices={config.trainer.devices}: an update works in one process; choose 1")
    if divides(config.trainer):
        raise ValueError("trainer=fsdp: an update works in one process, which has all weights; choose trainer=auto")
    check_accelerator(config.trainer)
    check_callbacks(config.callbacks)


def updated_config(
    run: FinishedRun,
    config: DictConfig,
    overrides: Sequence[str],
    sequences: Sequences,
    log: Mapping[str, Any],
    folder: Path,
) -> tuple[DictConfig, Protocol]:
    """The complete configuration of the updated run, read-only, and how it is judged.

    A scheduler was laid out for the whole training and is left out: the learning rate stays what it was at the start.

    Args:
        run: to update.
        config: as composed now; its machine, budget, callbacks and loggers are taken.
        overrides: arguments of the command line.
        sequences: of the updated run.
        log: how the log was read.
        folder: of the updated run.
    """
    stored, now = plain(run.config), plain(config)
    known = stored["catalog"]
    catalog = known | {"num_items": sequences.num_items, "num_users": sequences.num_users}
    if sequences.attributes is not None and known.get("num_attributes"):
        catalog["attributes_per_item"] = sequences.attributes.shape[1]
    model = resized(stored["model"], {key: size for key, size in known.items() if size}, catalog)
    if "scheduler" in model:
        model["scheduler"] = None
    data = {"_target_": "seqrec.data.sets.grown.Grown", "path": str(folder / HISTORIES), "log": dict(log)}
    data |= {key: stored["data"][key] for key in BASE}
    words = [word.lstrip("+~").partition("=")[0] for word in overrides]
    given = {word.removeprefix("trainer.") for word in words if word.startswith("trainer.")}
    trainer = stored["trainer"] | {key: now["trainer"][key] for key in {*TRAINER, *given} & now["trainer"].keys()}
    parts = {"model": model, "data": data, "trainer": trainer, "catalog": catalog, "warm_start": None}
    complete = OmegaConf.create(stored | {key: now[key] for key in NOW} | parts)
    protocol = check_values(complete)
    check_strategy(complete)
    OmegaConf.set_readonly(complete, True)
    return complete, protocol

"""Lightning's loggers of a run: made from the configuration, given the results, closed whatever happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger, WandbLogger

from seqrec.runs.files import replacing
from seqrec.runs.folder import WANDB_ID
from seqrec.runs.processes import is_first


@contextmanager
def open_loggers(nodes: DictConfig, config: Mapping[str, Any], folder: Path, monitor: str) -> Iterator[list[Logger]]:
    """The loggers of ``nodes``, told of the run's configuration; all are closed at the end, also of a failed run.

    Args:
        nodes: a logger's configuration by its name.
        config: of the run, as plain values.
        folder: of the run, which stores the run's id at Weights & Biases, so that a resumed run stays that run.
        monitor: validation metric that selects the weights.

    Raises:
        ValueError: the package of a logger is not installed, or Weights & Biases does not know who is asking.
    """
    loggers: list[Logger] = []
    failed = True
    try:
        for name, node in nodes.items():
            logger = _logger(str(name), node, folder)
            _count_epochs_from_one(logger)
            if isinstance(logger, WandbLogger):
                _begin_wandb(logger, folder, monitor)
            loggers.append(logger)
            logger.log_hyperparams(dict(config))
        yield loggers
        failed = False
    finally:
        for logger in loggers:
            logger.finalize("failed" if failed else "success")
            if isinstance(logger, WandbLogger):  # else the next job of a sweep would write to the same wandb run
                logger.experiment.finish(exit_code=int(failed))


def _logger(name: str, node: DictConfig, folder: Path) -> Logger:
    known = folder / WANDB_ID
    given = {}
    if str(node.get("_target_", "")).endswith(".WandbLogger") and known.exists() and not node.get("id"):
        given = {"id": known.read_text(encoding="utf-8").strip()}
    try:
        logger: Logger = instantiate(node, **given)
    except InstantiationException as error:
        if isinstance(error.__cause__, ModuleNotFoundError):
            reason = error.__cause__.msg.partition(". ")[0]
            raise ValueError(
                f"logger={name} needs a package that is not installed ({reason}): pip install {name}"
            ) from None
        raise
    return logger


def _begin_wandb(logger: WandbLogger, folder: Path, monitor: str) -> None:
    """Start the run at Weights & Biases: its id is kept, curves are over epochs, the summary holds the best value.

    Raises:
        ValueError: there is no key, or the server refuses.
    """
    if logger._wandb_init.get("anonymous", "") is None:  # Lightning's default, of which wandb warns
        del logger._wandb_init["anonymous"]
    try:
        experiment = logger.experiment
    except Exception as error:
        if not type(error).__module__.startswith("wandb"):
            raise
        reason = str(error).strip().partition("\n")[0].partition(". ")[0]
        raise ValueError(
            f"logger=wandb: {reason.rstrip('.')}; log in with `wandb login`, or set WANDB_MODE=offline to log to the "
            "run folder only"
        ) from None
    if not is_first():
        return
    with replacing(folder / WANDB_ID) as partial:
        partial.write_text(f"{experiment.id}\n", encoding="utf-8")
    experiment.define_metric("epoch")
    for names in ("train/*", "val/*", "cost/*"):
        experiment.define_metric(names, step_metric="epoch")
    experiment.define_metric(f"val/{monitor}", step_metric="epoch", summary="max")
    experiment.define_metric("step/*", step_metric="trainer/global_step")


def _count_epochs_from_one(logger: Logger) -> None:
    """Lightning counts the epochs that it logs from 0; terminal, log and card count from 1."""
    log_metrics = logger.log_metrics

    def counted(metrics: Mapping[str, float], step: int | None = None) -> None:
        more = {"epoch": metrics["epoch"] + 1} if "epoch" in metrics else {}
        log_metrics({**metrics, **more}, step=step)

    logger.log_metrics = counted  # type: ignore[method-assign]

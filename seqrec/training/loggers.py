"""Lightning's loggers of a run: made from the configuration, given the results, closed whatever happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger, WandbLogger

from seqrec.runs.result import Result


@contextmanager
def open_loggers(nodes: DictConfig, config: Mapping[str, Any]) -> Iterator[list[Logger]]:
    """The loggers of ``nodes``, told of the run's configuration; all are closed at the end, also of a failed run.

    Args:
        nodes: a logger's configuration by its name.
        config: of the run, as plain values.

    Raises:
        ValueError: the package of a logger is not installed.
    """
    loggers: list[Logger] = []
    failed = True
    try:
        for name, node in nodes.items():
            loggers.append(_logger(str(name), node))
            loggers[-1].log_hyperparams(dict(config))
        yield loggers
        failed = False
    finally:
        for logger in loggers:
            logger.finalize("failed" if failed else "success")
            if isinstance(logger, WandbLogger):  # else the next job of a sweep would write to the same wandb run
                logger.experiment.finish(exit_code=int(failed))


def _logger(name: str, node: DictConfig) -> Logger:
    try:
        logger: Logger = instantiate(node)
    except InstantiationException as error:
        if isinstance(error.__cause__, ModuleNotFoundError):
            reason = error.__cause__.msg.partition(". ")[0]
            raise ValueError(
                f"logger={name} needs a package that is not installed ({reason}): pip install {name}"
            ) from None
        raise
    return logger


def log_result(
    loggers: Sequence[Logger], result: Result, slices: Sequence[Mapping[str, Any]], pictures: Mapping[str, Path]
) -> None:
    """Send a run's test metrics to every logger; slices and pictures to those that show tables and images.

    Args:
        loggers: of the run.
        result: of the run.
        slices: rows of the table of slices.
        pictures: PNG files by name.
    """
    for logger in loggers:
        logger.log_metrics({f"test/{name}": value for name, value in result.test.items()})
        if isinstance(logger, WandbLogger):
            columns = list(slices[0])
            logger.log_table("slices", columns=columns, data=[[part[column] for column in columns] for part in slices])
            for name, path in pictures.items():
                logger.log_image(f"plots/{name}", [str(path)])

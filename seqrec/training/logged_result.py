"""What loggers are told of a finished run: metrics, references, card, tables and pictures, each what it can show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib.image import imread
from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger

from seqrec.runs.card import RunCard
from seqrec.runs.result import Result

Row = Mapping[str, Any]


def log_result(
    loggers: Sequence[Logger],
    result: Result,
    card: RunCard,
    references: Mapping[str, Mapping[str, float]],
    tables: Mapping[str, Sequence[Row]],
    pictures: Mapping[str, Path],
    config: Mapping[str, Any],
) -> None:
    """Send a run's test metrics to every logger; tables and pictures to those that show them.

    Args:
        loggers: of the run.
        result: of the run.
        card: of the run.
        references: test metrics of each reference.
        tables: rows by the name of the table.
        pictures: PNG files by name.
        config: of the run, as plain values.
    """
    test = {f"test/{name}": value for name, value in result.test.items()}
    best = {f"best/{name}": value for name, value in result.val.items()} | {"best_epoch": result.best_epoch}
    others = {f"{one}/{name}": value for one, metrics in references.items() for name, value in metrics.items()}
    for logger in loggers:
        logger.log_metrics(test)
        if isinstance(logger, WandbLogger):
            logger.experiment.summary.update({**best, **{f"references/{name}": v for name, v in others.items()}})
            logger.experiment.config.update({"card": asdict(card)}, allow_val_change=True)
            for name, rows in tables.items():
                _log_table(logger, name, rows)
            for name, path in pictures.items():
                logger.log_image(f"plots/{name}", [str(path)])
        elif isinstance(logger, TensorBoardLogger):
            logger.log_hyperparams(dict(config), {**test, **best})
            for name, path in pictures.items():
                logger.experiment.add_image(f"plots/{name}", imread(path)[..., :3], dataformats="HWC")


def _log_table(logger: WandbLogger, name: str, rows: Sequence[Row]) -> None:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    if columns:
        logger.log_table(name, columns=columns, data=[[row.get(column) for column in columns] for row in rows])

"""What TensorBoard is told of a finished run: metrics beside the hyper-parameters, and the pictures."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from pytorch_lightning.loggers import TensorBoardLogger

from seqrec.reporting import figures
from seqrec.runs.result import Result
from seqrec.training.logged_result import log_result


class Recorded(TensorBoardLogger):
    """Remembers what it is told; its package need not be there."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}
        self.parameters: list[Any] = []
        self.images: dict[str, np.ndarray[Any, Any]] = {}

    @property
    def experiment(self) -> Any:
        return SimpleNamespace(add_image=lambda name, image, dataformats: self.images.update({name: image}))

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.metrics.update(metrics)

    def log_hyperparams(self, params: Any, metrics: Any = None, step: int | None = None) -> None:
        self.parameters.append((params, metrics))


def test_tensorboard_gets_metrics_beside_hyper_parameters_and_pictures(tmp_path: Path) -> None:
    picture = tmp_path / "curves.png"
    figures.save(figures.comparison({"mine": {"mrr": 0.2}}, "mrr", "mine on synthetic, seed 0"), picture)
    result = Result({"mrr": 0.3}, {"mrr": 0.2}, 5, 4, 1.0, torch.zeros(0), torch.zeros(0))
    logger, card = Recorded(), Any
    log_result([logger], result, card, {}, {}, {"curves": picture}, {"seed": 0})  # type: ignore[arg-type]
    assert logger.metrics == {"test/mrr": 0.2}
    assert logger.parameters == [({"seed": 0}, {"test/mrr": 0.2, "best/mrr": 0.3, "best_epoch": 4})]
    (image,) = logger.images.values()
    assert image.ndim == 3 and image.shape[2] == 3

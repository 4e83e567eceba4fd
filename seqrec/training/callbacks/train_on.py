"""A finished run that is trained further is unfinished until it has its new results."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback

from seqrec.runs.files import replacing
from seqrec.runs.folder import CONFIG, METRICS


class TrainOn(Callback):
    """Takes the results of a shorter training away before the first epoch beyond it, and stores its new budget.

    So a run that is killed there is found by ``resume=auto``, and one that has nothing left to train keeps what it has.

    Args:
        config: of the run.
    """

    def __init__(self, config: DictConfig) -> None:
        self.config = config

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Act where there are results."""
        results = Path(trainer.default_root_dir) / METRICS
        if trainer.is_global_zero and results.exists():
            results.unlink()
            write_config(self.config, results.parent)


def write_config(config: DictConfig, folder: Path) -> None:
    """Store a configuration in a run folder, in one step and with references resolved."""
    with replacing(folder / CONFIG) as partial:
        OmegaConf.save(config, partial, resolve=True)

"""What a resumed run changes in its folder, it changes when it trains: until then it may still be refused."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback

from seqrec.runs.files import replacing
from seqrec.runs.folder import CONFIG, METRICS


class TrainOn(Callback):
    """Before the first epoch of a resumed run, takes the results of its shorter training away and stores its budget.

    So a finished run that is killed while it is trained further is found by ``resume=auto``, and one that has nothing
    left to train, or that this machine cannot train, keeps its results and its configuration.

    Args:
        config: of the run.
    """

    def __init__(self, config: DictConfig) -> None:
        self.config = config
        self.begun = config.resume is None

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Act once."""
        if trainer.is_global_zero and not self.begun:
            folder = Path(trainer.default_root_dir)
            (folder / METRICS).unlink(missing_ok=True)
            write_config(self.config, folder)
        self.begun = True


def write_config(config: DictConfig, folder: Path) -> None:
    """Store a configuration in a run folder, in one step and with references resolved."""
    with replacing(folder / CONFIG) as partial:
        OmegaConf.save(config, partial, resolve=True)

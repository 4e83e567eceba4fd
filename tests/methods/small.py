"""Small models and their data, as the configuration describes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from seqrec.data.sets.synthetic import Synthetic
from tests.factories import quiet_trainer

CONF = Path(__file__).parents[2] / "conf"
SMALL = [
    "data.num_users=20",
    "data.num_items=50",
    "data.shortest=6",
    "data.longest=20",
    "data.max_length=12",
    "catalog.num_items=50",
    "data.batch_size=32",
    "model.backbone.dim=16",
    "model.backbone.ffn_dim=32",
]


def made(cache: Path, *choices: str) -> tuple[Any, Synthetic]:
    """A small model and its data as the configuration describes them."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", ["data=synthetic", *SMALL, f"data.cache_dir={cache}", *choices])
    if "num_clusters" in config.model:
        config.model.num_clusters = 5
    torch.manual_seed(0)
    return instantiate(config.model, _convert_="all"), instantiate(config.data)


def trainer(**changes: Any) -> pl.Trainer:
    """One quiet epoch of training alone."""
    return quiet_trainer(**{"limit_val_batches": 0, "reload_dataloaders_every_n_epochs": 1, "max_epochs": 1} | changes)

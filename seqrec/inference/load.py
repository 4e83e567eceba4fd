"""From the folder of a finished run to its model: configuration, best weights, and what follows from the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml

from seqrec.inference.build import build
from seqrec.inference.scorer import Scorer
from seqrec.methods.checkpoint import read_checkpoint
from seqrec.methods.ranker import Ranker
from seqrec.runs.card import tested_weights
from seqrec.runs.folder import CONFIG, METRICS
from seqrec.runs.moved import upgraded
from seqrec.runs.targets import refuse_foreign


def load(folder: str | Path, device: str | torch.device = "cpu") -> Scorer:
    """The model of a finished run with its tested weights, ready to score; the data set is not needed.

    Args:
        folder: of the run, of this or an older version.
        device: where the model works.

    Raises:
        ValueError: the folder holds no finished run, its configuration means nothing to this version, or it is of an
            older version that did not store something which this model needs to score.
    """
    folder = Path(folder)
    weights = tested_weights(folder)
    missing = [name for name in (CONFIG, METRICS, weights) if not (folder / name).is_file()]
    if missing:
        raise ValueError(
            f"{folder} holds no finished run ({', '.join(missing)} missing); give the folder of one, such as "
            "outputs/<model>-<data>-s<seed>/<time>"
        )
    config = stored_config(folder / CONFIG)
    model = initial_model(config)
    checkpoint = read_checkpoint(folder / weights)
    _restore(model, checkpoint, folder, weights)
    name = config.get("name") or type(model).__name__
    return Scorer(model.to(device), folder, config["data"]["max_length"], name)


def stored_config(path: Path) -> dict[str, Any]:
    """A stored configuration whose model and protocol call nothing but what a configuration may call."""
    try:
        config = upgraded(yaml.safe_load(path.read_text(encoding="utf-8")))
        if not isinstance(config, dict) or not {"model", "data", "protocol"} <= set(config):
            raise ValueError("it has no model, data and protocol")
        refuse_foreign({part: config[part] for part in ("protocol", "model")})
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None
    return config


def initial_model(config: dict[str, Any]) -> Ranker:
    """The configured model with initial weights; the caller's random draws are as if none had been made."""
    with torch.random.fork_rng(devices=[]):
        protocol = build(config["protocol"], "protocol")
        model: Ranker = build(config["model"], "model", protocol=protocol)
    return model


def _restore(model: Ranker, checkpoint: dict[str, Any], folder: Path, weights: str) -> None:
    """Give the model the weights, in the precision in which they were trained, and what it derived from the data."""
    try:
        model.load_state_dict(checkpoint["state_dict"], assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{folder / weights} does not fit the model of {folder / CONFIG}: {reason}") from error
    if checkpoint.get("derived"):
        model.load_derived_state(checkpoint["derived"])
    if model.missing_state is not None:
        raise ValueError(
            f"{folder}: this run of an older version did not store {model.missing_state}, without which "
            f"{type(model).__name__} cannot score; train it again"
        )

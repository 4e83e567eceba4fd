"""Whether this machine can train the model in the way that the trainer is set to."""

from __future__ import annotations

from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from seqrec.methods.adversarial.turns import AdversarialRecommender
from seqrec.runs.targets import find


def check_strategy(config: DictConfig) -> None:
    """Refuse plain DDP for a model whose networks learn in turns: in each turn the others have no gradient.

    Args:
        config: of the run; its ``model`` and ``trainer`` are read.

    Raises:
        ValueError: with the trainer to choose.
    """
    target = OmegaConf.select(config, "model._target_")
    model = find(target, "model") if target else None
    if not (isinstance(model, type) and issubclass(model, AdversarialRecommender)):
        return
    given = _strategy(config.trainer)
    if given:
        raise ValueError(
            f"trainer.strategy={given}: {model.__name__} has several optimizers that take turns, and each turn "
            "leaves the others without a gradient, for which this strategy waits; choose trainer=ddp_adversarial"
        )


def check_accelerator(trainer: DictConfig) -> None:
    """Refuse a GPU where there is none, before any data is read.

    Args:
        trainer: the node of the run's configuration.

    Raises:
        ValueError: with the trainer to choose.
    """
    asked = trainer.get("accelerator", "auto")
    there = torch.cuda.is_available() or (asked == "gpu" and torch.backends.mps.is_available())
    if asked in ("gpu", "cuda") and not there:
        raise ValueError(
            f"trainer.accelerator={asked}: PyTorch finds no GPU here; choose trainer=cpu, or trainer=auto, which takes "
            "what is there"
        )


def _strategy(trainer: DictConfig) -> str:
    """The name of a plain DDP strategy; empty for any other."""
    strategy: Any = trainer.get("strategy", "auto")
    if isinstance(strategy, DictConfig):
        name = str(strategy.get("_target_", "")).rpartition(".")[2]
        return name if name == "DDPStrategy" and not strategy.get("find_unused_parameters") else ""
    if strategy == "auto":  # Lightning takes ddp for more than one device
        return "ddp" if _devices(trainer) * int(trainer.get("num_nodes", 1)) > 1 else ""
    plain = str(strategy).startswith("ddp") and "find_unused_parameters_true" not in str(strategy)
    return str(strategy) if plain else ""


def _devices(trainer: DictConfig) -> int:
    """How many devices of a machine the trainer takes."""
    devices: Any = OmegaConf.to_container(trainer).get("devices", 1)  # type: ignore[union-attr]
    accelerator = trainer.get("accelerator", "auto")
    if isinstance(devices, list):
        return len(devices)
    if devices in ("auto", "-1", -1):
        all_of_them = torch.cuda.device_count() if accelerator in ("auto", "gpu", "cuda") else 1
        return max(1, all_of_them)
    text = str(devices)
    listed = [part for part in text.split(",") if part.strip()]
    return int(text) if text.isdigit() else max(1, len(listed))

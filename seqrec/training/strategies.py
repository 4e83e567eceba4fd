"""Whether this machine can train the model in the way that the trainer is set to."""

from __future__ import annotations

from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from seqrec.backbones.transformer import Transformer
from seqrec.functional.losses import next_item, whole_table
from seqrec.methods.adversarial.turns import AdversarialRecommender
from seqrec.methods.base import Recommender
from seqrec.runs.targets import find
from seqrec.training.sharded import Sharded


def check_strategy(config: DictConfig) -> None:
    """Refuse a strategy that cannot train a model of the run: its own, or that of a warm start.

    Args:
        config: of the run; its models and its ``trainer`` are read.

    Raises:
        ValueError: with the trainer to choose.
    """
    for key in ("model", "warm_start.model"):
        node = OmegaConf.select(config, key)
        target = node.get("_target_") if node is not None else None
        model = find(target, key) if target else None
        if isinstance(model, type):
            _check_turns(model, config.trainer)
            _check_divided(model, config.trainer)
            if node.get("sparse_items"):
                _check_sparse(key, config.trainer)
            if node.get("table") is not None:
                _check_divided_items(model, node, config.trainer)


def _check_turns(model: type, trainer: DictConfig) -> None:
    """Refuse plain DDP for a model whose networks learn in turns: in each turn the others have no gradient."""
    given = _plain_ddp(trainer)
    if given and issubclass(model, AdversarialRecommender):
        raise ValueError(
            f"trainer.strategy={given}: {model.__name__} has several optimizers that take turns, and each turn "
            "leaves the others without a gradient, for which this strategy waits; choose trainer=ddp_adversarial"
        )


def _check_divided(model: type, trainer: DictConfig) -> None:
    """Refuse to divide weights that are none, or whose gradients nobody would bring together."""
    given = _name(trainer)
    if given.lower().startswith(("fsdp", "modelparallel")):
        raise ValueError(f"trainer.strategy={given}: no model here was tried with it; choose trainer=fsdp")
    if not divides(trainer):
        return
    if issubclass(model, AdversarialRecommender):
        raise ValueError(
            f"trainer=fsdp: {model.__name__} steps its own optimizers within a training step, before the gradients of "
            "divided weights are brought together, so it would not learn; choose trainer=ddp_adversarial"
        )
    if not issubclass(model, Recommender):
        raise ValueError(f"trainer=fsdp: {model.__name__} counts and has no weights to divide; choose trainer=auto")


def _check_sparse(key: str, trainer: DictConfig) -> None:
    """Refuse gradients of single rows where no library can add up those of several processes."""
    if divides(trainer):
        raise ValueError(
            f"{key}.sparse_items=true: trainer=fsdp cannot divide gradients that hold single rows; leave "
            "+overlay=sparse_items out, or choose one device with trainer=gpu or trainer=cpu"
        )
    asked = trainer.get("accelerator", "auto")
    on_gpus = asked in ("gpu", "cuda") or (asked == "auto" and torch.cuda.is_available())
    strategy = trainer.get("strategy", "auto")
    by_gloo = isinstance(strategy, DictConfig) and strategy.get("process_group_backend") == "gloo"
    if on_gpus and not by_gloo and _processes(trainer) > 1:
        raise ValueError(
            f"{key}.sparse_items=true: NCCL, which adds up the gradients of several GPUs, cannot add those that hold "
            "single rows; leave +overlay=sparse_items out (trainer=fsdp divides a large table), or choose "
            "trainer.devices=1"
        )


def _check_divided_items(model: type, node: DictConfig, trainer: DictConfig) -> None:
    """Refuse a divided item table without processes that divide it, and parts of a model that need the whole one."""
    if not divides(trainer):
        raise ValueError("model/table=sharded: the processes of trainer=fsdp divide the table; add trainer=fsdp")
    parts = {key: OmegaConf.select(node, f"{key}._target_") for key in ("backbone", "loss")}
    fitting = find(parts["backbone"], "model.backbone") is Transformer
    fitting &= parts["loss"] is None or find(parts["loss"], "model.loss") in (next_item, whole_table)
    if not (fitting and issubclass(model, Recommender) and model.may_divide_items):
        raise ValueError(
            "model/table=sharded: SASRec and FENRec alone can learn with a divided item table, with their own backbone "
            "and a loss over all items; leave model/table out, or choose model=sasrec or model=fenrec"
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


def _name(trainer: DictConfig) -> str:
    """The strategy in a word, the name of its class where it is a node."""
    strategy: Any = trainer.get("strategy", "auto")
    return str(strategy.get("_target_", "") if isinstance(strategy, DictConfig) else strategy).rpartition(".")[2]


def divides(trainer: DictConfig) -> bool:
    """Whether the strategy divides the weights, as ``trainer=fsdp`` does."""
    return _name(trainer) == Sharded.__name__


def _plain_ddp(trainer: DictConfig) -> str:
    """The name of a plain DDP strategy; empty for any other."""
    strategy, name = trainer.get("strategy", "auto"), _name(trainer)
    if isinstance(strategy, DictConfig):
        return name if name == "DDPStrategy" and not strategy.get("find_unused_parameters") else ""
    if name == "auto":  # Lightning takes ddp for more than one device
        return "ddp" if _processes(trainer) > 1 else ""
    return name if name.startswith("ddp") and "find_unused_parameters_true" not in name else ""


def _processes(trainer: DictConfig) -> int:
    """How many processes train together."""
    return _devices(trainer) * int(trainer.get("num_nodes", 1))


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

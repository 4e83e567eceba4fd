"""What a run would need only at its end is looked at before its first epoch."""

from __future__ import annotations

import re
from typing import Any

from omegaconf import DictConfig, OmegaConf

from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.errors import DataError
from seqrec.data.sequences import HELD_OUT
from seqrec.metrics import Protocol
from seqrec.runs.targets import find
from seqrec.training.callbacks.checkpoints import LastCheckpoint
from seqrec.training.callbacks.epoch_log import EpochLog

SIZES = re.compile(r"(.*_)?dim|num_(clusters|edges|heads|layers|negatives|seeds|slots|views)")
"""Keys of a model whose whole numbers count what cannot be missing."""

LARGEST_SEED = 2**32 - 1  # NumPy's


def check_values(config: DictConfig) -> Protocol:
    """Refuse values that do not fit one another, before any data is read.

    Args:
        config: of the run.

    Returns:
        How the run ranks.

    Raises:
        ValueError: what was given and what is allowed.
    """
    name, seed = config.name, config.seed
    if name is not None and not isinstance(name, str):
        raise ValueError(f"name={name}: it must be text; write name='\"{name}\"'")
    if not _whole(seed) or not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"seed={seed}: it must be a whole number from 0 to {LARGEST_SEED}")
    for key in ("patience", "warm_start.patience"):
        patience = OmegaConf.select(config, key)
        if patience is not None and (not _whole(patience) or patience < 1):
            raise ValueError(f"{key}={patience}: it must be at least 1 epoch, or null to train all of them")
    steps = config.get("patience_steps")
    if steps is not None and (not _whole(steps) or steps < 1):
        raise ValueError(f"patience_steps={steps}: it must be at least 1 step, or null to count epochs alone")
    judged = OmegaConf.to_container(config.protocol, resolve=True)
    assert isinstance(judged, dict)
    protocol = Protocol(**{str(key): value for key, value in judged.items() if key != "_target_"})
    for key in ("model", "warm_start.model"):
        model = OmegaConf.select(config, key)
        if model is None:
            continue
        _check_sizes(model, key)
        try:
            protocol.monitor(model.get("monitor"))
        except ValueError as error:
            raise ValueError(f"{key}.{error}") from None
    return protocol


def check_callbacks(nodes: DictConfig) -> None:
    """Refuse callbacks that leave nothing to make a result from.

    Args:
        nodes: a callback's configuration by its name.

    Raises:
        ValueError: the weights or the log would not be stored.
    """
    classes = [find(node._target_, f"callbacks.{name!s}") for name, node in nodes.items() if node is not None]
    for needed, place in ((LastCheckpoint, "last"), (EpochLog, "epoch_log")):
        if not any(isinstance(one, type) and issubclass(one, needed) for one in classes):
            raise ValueError(
                f"callbacks.{place} is missing, without which a training gives no result; keep callbacks=default, and "
                "add your own with +callbacks.mine={_target_: ...} or callbacks=[default,mine]"
            )


def check_evaluated(data: SequenceDataModule) -> None:
    """Refuse data in which nobody can be evaluated.

    Raises:
        DataError: no user has a training item besides the two held-out targets of leave-one-out; other splits have
            refused such data.
    """
    sequences = data.sequences
    if not len(data.splits["test"]):
        longest = int(sequences.lengths.max()) if sequences.num_users else 0
        raise DataError(
            f"data={data.name}: no user can be evaluated: that takes {HELD_OUT + 1} interactions, and the longest "
            f"history of its {sequences.num_users} users has {longest}; give more data, or filter less of it"
        )


def _check_sizes(node: Any, path: str) -> None:
    if not OmegaConf.is_dict(node):
        return
    for key in node:
        value = node[key]
        if SIZES.fullmatch(str(key)) and _whole(value) and value < 1:
            raise ValueError(f"{path}.{key}={value}: it must be at least 1")
        _check_sizes(value, f"{path}.{key}")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)

"""Whether two runs turn embedded histories into queries in the same way, so that one exported encoder serves both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from seqrec.inference.load import initial_model, stored_config
from seqrec.methods.checkpoint import read_checkpoint
from seqrec.methods.growth import Part, Sizes, same_beside, table_part
from seqrec.runs.card import tested_weights
from seqrec.runs.folder import CONFIG
from seqrec.runs.sizes import resized

TRAINING = ("optimizer", "scheduler", "monitor", "seed", "sparse_items")
"""Keys of a model that say how it learns and nothing of what it is."""


def shares_encoder(one: str | Path, other: str | Path) -> bool:
    """Whether the tested weights of two runs differ in the rows of items and users alone, bit for bit.

    So it is after ``task=update`` with ``task.freeze=true`` or ``task.epochs=0``. Rows of padding and of the mask are
    part of the encoder.

    Args:
        one, other: folders of finished runs.

    Raises:
        ValueError: a folder holds no run.
    """
    kinds, states, parts = zip(*(_encoder(Path(folder)) for folder in (one, other)), strict=True)
    return bool(kinds[0] == kinds[1]) and same_beside(states[0], parts[0], states[1], parts[1])


def _encoder(folder: Path) -> tuple[Any, dict[str, Tensor], dict[str, Part]]:
    """What a model is but for the sizes of its catalogue, its weights, and which of them are tables."""
    config = stored_config(folder / CONFIG)
    state: dict[str, Tensor] = read_checkpoint(folder / tested_weights(folder))["state_dict"]
    sizes = {key: size for key, size in config["catalog"].items() if size and key.startswith("num_")}
    larger = {key: size + 1 for key, size in sizes.items()}
    probe = initial_model(config | {"model": resized(config["model"], sizes, larger)}).state_dict()
    known = Sizes(config["catalog"]["num_items"], config["catalog"]["num_users"])
    grows = [name for name, value in state.items() if name in probe and probe[name].shape != value.shape]
    parts = {name: table_part(name, len(state[name]), known) for name in grows}
    what = {key: value for key, value in config["model"].items() if key not in TRAINING}
    kind = resized(what, sizes, dict.fromkeys(sizes, 0)), config["data"]["max_length"]
    return kind, state, {name: part for name, part in parts.items() if part is not None}

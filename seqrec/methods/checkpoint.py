"""Checkpoints beyond Lightning's own: random states, so that a resumed run equals an unbroken one, and warm starts."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import nn


def random_state() -> dict[str, Any]:
    """States of the python, numpy, torch and CUDA generators as tensors and primitives (``weights_only`` safe)."""
    name, numbers, *rest = np.random.get_state()
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(np.asarray(numbers, dtype=np.int64)), *rest),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def random_states() -> list[dict[str, Any]]:
    """:func:`random_state` of each process of the run, in order of rank; all of them must call it."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return [random_state()]
    states: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(states, random_state())
    return states


def restore_random_state(state: dict[str, Any]) -> None:
    """Set the generators to a state from :func:`random_state`."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, words, *rest = state["numpy"]
    np.random.set_state((name, words.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["torch"].cpu())
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([s.cpu() for s in state["cuda"]])


def read_checkpoint(path: Path, place: Callable[..., Any] | str = "cpu") -> dict[str, Any]:
    """What a checkpoint holds; a file that would execute code is not read.

    Args:
        path: of the file.
        place: where its tensors go, as torch's ``map_location``.

    Raises:
        ValueError: it is half a checkpoint, or holds more than numbers and plain values.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location=place, weights_only=True)
        content["state_dict"]
    except (EOFError, RuntimeError, UnpicklingError, KeyError, ValueError, TypeError, IndexError, AttributeError):
        raise ValueError(
            f"{path} is not a whole checkpoint of numbers and plain values ({path.stat().st_size} bytes); restore it "
            "from a copy, or train anew"
        ) from None
    return content


def load_backbone(module: nn.Module, checkpoint: Path) -> None:
    """Give ``module`` the weights that the backbone of a stored model has.

    Raises:
        ValueError: they are not the weights of such a module.
    """
    stored = read_checkpoint(checkpoint)["state_dict"]
    prefix = "backbone."
    weights = {name.removeprefix(prefix): value for name, value in stored.items() if name.startswith(prefix)}
    own = module.state_dict()
    for name in sorted(weights.keys() | own.keys()):
        there, here = (tuple(state[name].shape) if name in state else "missing" for state in (weights, own))
        if there != here:
            raise ValueError(
                f"{checkpoint}: {name} is {there}, but {here} in the model that starts from it; give the backbones of "
                "both stages the same parts and sizes"
            )
    module.load_state_dict(weights)

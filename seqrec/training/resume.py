"""What a resumed run takes from its stored configuration, and what from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from seqrec.methods.checkpoint import read_checkpoint
from seqrec.runs.configuration import CHANGEABLE, differences
from seqrec.runs.defaults import is_default
from seqrec.runs.folder import CONFIG, LAST, resumable
from seqrec.runs.moved import upgraded
from seqrec.runs.targets import refuse_foreign

MACHINE = tuple(f"trainer.{key}" for key in ("accelerator", "devices", "num_nodes", "strategy", "precision"))
"""What ``trainer=ddp`` says of the machine; the length of a run that is resumed elsewhere stays the stored one."""

SECTIONS = {
    "windows": ["data.windows"],
    "split": ["data.split"],
    "protocol": ["protocol.remove_seen", "protocol.cutoffs"],  # older runs call the same protocol by another name
    "experiment": ["model", "data"],
    "ablation": ["model", "data"],
    "overlay": ["model", "data"],
    "paper": ["protocol.remove_seen", "protocol.cutoffs", "model", "data"],
    "settings": ["model", "data"],
    "patience": ["patience", "callbacks.early_stopping.patience"],
    "patience_steps": ["patience_steps", "callbacks.early_stopping.patience_steps"],
    "debug": ["trainer.max_epochs", *(f"trainer.limit_{part}_batches" for part in ("train", "val", "test"))],
}
"""Groups and keys whose values stand elsewhere, or elsewhere as well: a stored configuration holds no references."""


def stored_or_given(config: DictConfig, overrides: list[str], folder: Path) -> DictConfig:
    """The stored configuration of a run that is resumed, else ``config``.

    Of the command line of a resumed run only :data:`CHANGEABLE` values are taken.

    Args:
        config: as composed now.
        overrides: this command line's arguments.
        folder: the run folder.

    Raises:
        ValueError: ``resume`` names a folder that holds no run, or the command line asks for another run.
    """
    if config.resume is None:
        return config
    if not resumable(folder):
        if config.resume == "auto":
            return config
        raise ValueError(
            f"resume={config.resume}: no checkpoint at {folder / LAST}; give the folder of a run that finished an epoch"
        )
    stored = read_stored(folder / CONFIG, config)
    stored.resume = config.resume
    before = stored.trainer.get("max_epochs")
    asked = config.copy()
    asked.catalog = stored.catalog
    if not any(override.startswith("seed=") for override in overrides):
        asked.seed = stored.seed
    for override in overrides:
        for path in _paths(override, config):
            owner = path.rpartition(".")[0]
            if owner.startswith("callbacks.") and OmegaConf.select(stored, owner) is None:
                continue  # the run has no such callback
            if path.startswith(CHANGEABLE):
                OmegaConf.update(stored, path, OmegaConf.select(config, path), merge=False, force_add=True)
            elif not _is_unstored_default(asked, stored, path) and (
                other := differences(_value(asked, path), _value(stored, path), path)
            ):
                raise ValueError(
                    f"resume={config.resume}: {override} would make another run than the stored one, which differs in "
                    f"{', '.join(other[:5])}; leave it out to resume that one, or leave out resume=... to start a new "
                    "one"
                )
    _check_schedule(stored, before)
    _check_epochs(stored, before, folder)
    return stored


def _paths(override: str, config: DictConfig) -> list[str]:
    """The keys of the configuration that an argument of the command line is about."""
    key = override.lstrip("+").partition("=")[0]
    if key.startswith("hydra."):
        return []
    if key == "trainer":
        return [path for path in MACHINE if path.rpartition(".")[2] in config.trainer]
    return SECTIONS.get(key.split("/")[0], [key.split("@")[0].replace("/", ".")])


def _check_schedule(config: DictConfig, before: int | None) -> None:
    """Refuse a longer training where the learning rate was laid out for the shorter one.

    Args:
        config: of the resumed run.
        before: ``trainer.max_epochs`` as stored.
    """
    now = config.trainer.get("max_epochs")
    if not before or now is None or 0 <= now <= before:
        return
    for key, value in _leaves(config.model):
        if value == before and "scheduler" in key.split("."):
            raise ValueError(
                f"resume={config.resume}: trainer.max_epochs={now}, but the learning rate of this run was laid out for "
                f"{before} epochs (model.{key}={before}), so it would be another one from the start; leave "
                f"trainer.max_epochs out, or start a new run with {now} epochs"
            )


def _check_epochs(config: DictConfig, before: int | None, folder: Path) -> None:
    """Refuse fewer epochs than the run has trained, before its stored configuration says so.

    Args:
        config: of the resumed run.
        before: ``trainer.max_epochs`` as stored.
        folder: of the run.
    """
    now = config.trainer.get("max_epochs")
    if now is None or now < 0 or before is None or 0 <= before <= now or not (folder / LAST).exists():
        return
    trained = int(read_checkpoint(folder / LAST)["epoch"]) + 1
    if trained > now:
        raise ValueError(
            f"resume={config.resume}: trainer.max_epochs={now}: this run has trained {trained} epochs; leave "
            f"trainer.max_epochs out, or give at least {trained}"
        )


def _leaves(node: DictConfig, above: str = "") -> list[tuple[str, Any]]:
    """Dotted keys and values of whole numbers below ``node``."""
    found: list[tuple[str, Any]] = []
    for key, value in node.items():
        if isinstance(value, DictConfig):
            found += _leaves(value, f"{above}{key!s}.")
        elif isinstance(value, int):
            found.append((f"{above}{key!s}", value))
    return found


def read_stored(path: Path, config: DictConfig) -> DictConfig:
    """A stored configuration; what a run of an older version did not store is as composed now."""
    try:
        found = OmegaConf.load(path)
        _refuse_references(found)
        stored = OmegaConf.create(upgraded(OmegaConf.to_container(found)))
    except (YAMLError, OmegaConfBaseException, ValueError) as error:
        raise ValueError(f"{path} is no stored configuration: {error}") from None
    if not isinstance(stored, DictConfig) or not {"model", "data", "protocol", "trainer"} <= set(stored):
        raise ValueError(f"{path} is no stored configuration: it has no model, data, protocol and trainer")
    _refuse_foreign(stored, path)
    if stored.get("logger") is None or "_target_" in stored.logger:  # version 0.1 had one logger or none
        stored.logger = {} if stored.get("logger") is None else {"logger": stored.logger}
    for key in config:
        if key not in stored:
            stored[key] = config._get_node(key)
    return stored


def _refuse_references(node: Any, above: str = "") -> None:
    """Refuse what would be looked up when it is read, such as a variable of the shell: a run stores plain values."""
    keys: list[Any] = []
    if isinstance(node, DictConfig):
        keys = list(node)
    elif isinstance(node, ListConfig):
        keys = list(range(len(node)))
    for key in keys:
        if OmegaConf.is_interpolation(node, key):
            text = node._get_node(key)._value()
            raise ValueError(f"{above}{key!s} is {text!r}; a stored configuration holds values, no references")
        _refuse_references(node._get_node(key), f"{above}{key!s}.")


def _refuse_foreign(stored: DictConfig, path: Path) -> None:
    """Refuse a stored configuration that calls what a composed one may not call: it may come from someone else."""
    try:
        refuse_foreign(OmegaConf.to_container(stored, resolve=True))
    except (ValueError, OmegaConfBaseException) as error:
        raise ValueError(f"{path}: {error}") from None


def _is_unstored_default(asked: DictConfig, stored: DictConfig, path: str) -> bool:
    """Whether an argument that an older version did not know is given the value that the run had."""
    owner, _, key = path.rpartition(".")
    node, there = _value(asked, owner), _value(stored, owner)
    known = isinstance(node, dict) and isinstance(there, dict) and key in node and key not in there
    return known and is_default(node, key, owner)


def _value(config: DictConfig, path: str) -> Any:
    """What stands at ``path``, with references resolved."""
    value = OmegaConf.select(config, path)
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value

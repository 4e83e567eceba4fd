"""The configuration that arguments stand for, compared with those that runs have stored; and the logs of data sets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from seqrec.data.checks.log import Log, observed
from seqrec.data.datamodule import SequenceDataModule
from seqrec.runs.configuration import CHANGEABLE, differences
from seqrec.runs.files import read_json
from seqrec.runs.folder import CARD, CONFIG
from seqrec.training.resume import read_stored

BUDGET = (
    "trainer.max_epochs", "trainer.min_epochs", "trainer.max_steps", "trainer.max_time", "trainer.gradient_clip_val",
    "trainer.limit_train_batches", "trainer.limit_val_batches", "trainer.limit_test_batches",
    "trainer.accumulate_grad_batches", "trainer.check_val_every_n_epoch", "trainer.val_check_interval",
    "patience", "patience_steps",
)  # fmt: skip
"""What a resumed run may have other than the stored one, but what decides the result of a whole run."""

OF_RUN = ("hydra", "task", "callbacks", "logger")
FILLED_IN = {"catalog", "name"}


def belongs(arguments: Sequence[str], folder: Path) -> bool:
    """Whether the finished run in ``folder`` has the configuration of ``arguments``; seed and machine may be any."""
    try:
        stored = read_stored(folder / CONFIG, composed(tuple(arguments)))
    except ValueError:
        return False
    seed = int(read_json(folder / CARD)["seed"])
    there: dict[str, Any] = OmegaConf.to_container(stored, resolve=True)  # type: ignore[assignment]
    asked = plain(tuple(arguments), seed, json.dumps(there.get("catalog")))
    compared = [key for key in asked if key not in FILLED_IN]
    other = differences({key: asked[key] for key in compared}, {key: there.get(key) for key in compared})
    return not other and all(_at(asked, key) == _at(there, key) for key in BUDGET)


def folder_of(arguments: Sequence[str]) -> Path:
    """Where runs of ``arguments`` lie below a folder for many: another configuration has another one."""
    words = dict(word.split("=", 1) for word in arguments)
    return Path(words["paper"]) / words["data"] / f"{words['model']}-{identity(arguments)[:10]}"


def identity(arguments: Sequence[str]) -> str:
    """A hash of the configuration of ``arguments`` with the budget, the same for any seed and machine.

    Callbacks that are asked for count: a run with a diagnosis is the same, but one without it cannot take its place.
    """
    config = plain(tuple(arguments), 0, "null")
    kept = {key: _at(config, key) for key in BUDGET} | {key: config[key] for key in config if key != "trainer"}
    asked = [word for word in arguments if word.startswith("callbacks=")]
    kept |= {"callbacks": asked} if asked else {}
    kept["data"] = {key: value for key, value in config["data"].items() if f"data.{key}" not in CHANGEABLE}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()


@cache
def plain(arguments: tuple[str, ...], seed: int, catalog: str) -> dict[str, Any]:
    """A composed configuration as plain values, references resolved for a seed and the sizes of data, given as JSON.

    Not to be changed.
    """
    whole = composed(arguments)
    config = OmegaConf.masked_copy(whole, [str(key) for key in whole if key not in OF_RUN])
    OmegaConf.set_struct(config, False)
    config.seed, config.catalog = seed, json.loads(catalog) or config.catalog
    result: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return result


@cache
def composed(arguments: tuple[str, ...]) -> DictConfig:
    """The configuration that Hydra makes of arguments, with the folders that the running command has added."""
    given = HydraConfig.get().overrides.hydra if HydraConfig.initialized() else []
    search = [word for word in given if word.startswith("hydra.searchpath=")]
    return compose("config", [*search, *arguments])


def source_log(name: str) -> Log:
    """The data set ``data=<name>`` as it is in its source.

    Raises:
        DataError: it is not there, or cannot be read.
    """
    data: SequenceDataModule = instantiate(composed((f"data={name}",)).data)
    return observed(partial(data.read, data.source()), data.split.divide)  # type: ignore[arg-type]  # as in check_data


def _at(config: dict[str, Any], key: str) -> Any:
    """What stands at a dotted key; None where nothing does, as Lightning understands it."""
    node: Any = config
    for part in key.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node

"""The log of an update: read as the run's own was, and put behind what the run knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from seqrec.data.attributes import extended, numbered
from seqrec.data.growth import grown, repeats, without_histories
from seqrec.data.readers.item_attributes import ItemAttributes
from seqrec.data.sequences import Sequences
from seqrec.data.sets.custom import Custom
from seqrec.training.update.finished import FinishedRun

READER = (
    "path", "columns", "separator", "header", "format", "time_format", "quote", "comment", "missing",
    "drop_duplicates", "attributes", "min_rating",
)  # fmt: skip
"""Options of ``data`` that an update takes; the others are the run's."""


def reader(run: FinishedRun, config: DictConfig, overrides: Sequence[str]) -> dict[str, Any]:
    """How the log is read: as the run's was, but for what the command line says.

    Args:
        run: to update.
        config: as composed now.
        overrides: arguments of the command line.

    Raises:
        ValueError: an option is none of :data:`READER`.
    """
    asked = {
        word.lstrip("+").partition("=")[0].split(".")[1] for word in overrides if word.startswith(("data.", "+data."))
    }
    if foreign := sorted(asked - set(READER)):
        raise ValueError(f"data.{foreign[0]}: an update takes that from the run; of data it takes {', '.join(READER)}")
    if "path" not in config.data:
        raise ValueError("data: an update reads a log of its own, so leave data=... out and give data.path=...")
    stored = run.config.data.get("log", run.config.data)
    found = OmegaConf.to_container(config.data, resolve=True)
    before = OmegaConf.to_container(stored, resolve=True)
    assert isinstance(found, dict) and isinstance(before, dict)
    options = {name: found[name] if name in asked or name not in before else before[name] for name in READER}
    if "format" not in asked:
        options["format"] = None  # the name of the file says it
    if "attributes" not in asked:
        options["attributes"] = None
    return options


def histories(
    run: FinishedRun,
    config: DictConfig,
    options: Mapping[str, Any],
    log: str,
    min_user: int | None,
    min_item: int | None,
) -> Sequences:
    """The run's histories with those of the log, under the run's numbers.

    Args:
        run: to update.
        config: as composed now.
        options: of :func:`reader`.
        log: ``new``, the file holds rows that came after those of the run, or ``whole``, it holds all of them.
        min_user, min_item: interactions that a new user, a new item needs in the log; None: one, or in a whole log as
            many as the run asked for.

    Raises:
        DataError: something is wrong with the log.
        ValueError: it holds what the run knows already, or the run's own log cannot be read again.
    """
    old = run.histories(log)
    node = OmegaConf.merge(config.data, dict(options), {"min_user": 1, "min_item": 1, "name": run.config.data.name})
    data: Custom = instantiate(node, _convert_="all")
    came = data.read(data.source())
    if log == "new" and repeats(old, came):
        raise ValueError(
            f"data.path={data.path}: it begins as the run's own log does; give the new rows alone, or task.log=whole"
        )
    whole = log == "whole"
    users, items = (_least(run, *least, whole) for least in (("min_user", min_user), ("min_item", min_item)))
    known = without_histories(old) if whole else old
    sequences = grown(known, came, users, items, seed=run.config.seed + old.num_items)
    news = (sequences.num_users - old.num_users) + (sequences.num_items - old.num_items)
    if not news and sequences.num_interactions <= int(run.card.data["interactions"]):
        raise ValueError(f"data.path={data.path}: it holds nothing that the run does not know already")
    files = data.attribute_files(data.source())
    return _with_attributes(run, old, sequences, data.read_attributes(files, came) if files else None, data)


def _least(run: FinishedRun, name: str, given: int | None, whole: bool) -> int:
    if given is None:
        return int(run.config.data.get(name, run.config.data.get("core", 1))) if whole else 1
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise ValueError(f"task.{name} is {given!r}; it must be 1 (keep all) or more")
    return given


def _with_attributes(
    run: FinishedRun, old: Sequences, sequences: Sequences, names: ItemAttributes | None, data: Custom
) -> Sequences:
    """The histories with what is known about old and new items."""
    table, buffer = old.attributes, run.state.get("backbone.attributes")
    if table is None and buffer is not None:
        table = buffer[1:-1].int()
    if names is None:
        if table is None:
            return sequences
        more = table.new_zeros(sequences.num_items - len(table), table.shape[1])
        return replace(sequences, attributes=torch.cat([table, more]))
    assert data.attribute_path is not None
    if table is None:
        return replace(sequences, attributes=numbered(names, sequences.item_ids, data.attribute_path))
    return replace(sequences, attributes=extended(table, names, sequences.item_ids, data.attribute_path))

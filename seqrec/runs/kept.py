"""Runs read back from their folders: run folders as they are, and the compact ones in ``docs/runs``."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqrec.runs.card import RunCard
from seqrec.runs.configuration import configuration_hash
from seqrec.runs.folder import CARD, CONFIG, LOG, METRICS

COMMAND = "command"


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        name: of its folder, in ``docs/runs`` that of the model.
        command: that made it; empty where none is stored.
        metrics: what ``metrics.json`` holds.
        card: what was judged and how.
        log: one row an epoch.
    """

    name: str
    command: str
    metrics: dict[str, Any]
    card: RunCard
    log: list[dict[str, float]]


def read_run(folder: Path) -> Run:
    """The finished run in ``folder``.

    Raises:
        ValueError: there is none, or its results are those of another configuration.
    """
    for name in (METRICS, CARD, LOG):
        if not (folder / name).exists():
            raise ValueError(f"{folder} is no finished run: it has no {name}")
    with (folder / LOG).open(newline="", encoding="utf-8") as file:
        log = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
    command = folder / COMMAND
    metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    _check_configuration(folder, metrics.get("configuration"))
    return Run(
        folder.name,
        command.read_text(encoding="utf-8").strip() if command.exists() else "",
        metrics,
        RunCard.read(folder / CARD),
        log,
    )


def _check_configuration(folder: Path, stored: str | None) -> None:
    """Refuse results that were not made with the configuration beside them; those of older versions do not say."""
    if stored is not None and (folder / CONFIG).exists() and configuration_hash(folder / CONFIG) != stored:
        raise ValueError(
            f"{folder}: {METRICS} are the results of another configuration than its {CONFIG}; was one of them changed "
            "or copied there? resume the run to write its results anew"
        )


def runs(folder: Path) -> list[Run]:
    """All finished runs in the folders of ``folder``, best test NDCG@10 first."""
    found = [read_run(path.parent) for path in sorted(folder.glob(f"*/{METRICS}"))]
    return sorted(found, key=lambda run: -run.metrics["test"]["ndcg@10"])

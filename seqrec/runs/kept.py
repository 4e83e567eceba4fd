"""Runs read back from their folders: run folders as they are, and the compact ones in ``docs/runs``."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqrec.runs.card import RunCard
from seqrec.runs.configuration import configuration_hash
from seqrec.runs.files import changed, read_json
from seqrec.runs.folder import CARD, CONFIG, LOG, METRICS

COMMAND = "command"


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: where it is.
        command: that made it, from the card or a file beside it; empty where none is stored.
        metrics: what ``metrics.json`` holds.
        card: what was judged and how.
        log: one row an epoch.
    """

    folder: Path
    command: str
    metrics: dict[str, Any]
    card: RunCard
    log: list[dict[str, float]]

    @property
    def name(self) -> str:
        """Of its folder; in ``docs/runs`` that of the model, and behind a hyphen what is other than usual."""
        return self.folder.name

    @property
    def hours(self) -> float:
        """Hours of one thread that training and validation took, those of a first stage among them."""
        seconds: float = self.metrics["seconds"] + self.metrics.get("warm_start", {}).get("seconds", 0.0)
        return seconds * (self.card.threads or 1) / 3600


def model_of(name: str) -> str:
    """The model of a run in ``docs/runs``, from the run's name or the cell of a table that begins with it."""
    return name.partition(" ")[0].partition("-")[0]


def read_run(folder: Path) -> Run:
    """The finished run in ``folder``.

    Raises:
        ValueError: there is none, or its results are those of another configuration.
    """
    for name in (METRICS, CARD, LOG):
        if not (folder / name).exists():
            raise ValueError(f"{folder} is no finished run: it has no {name}")
    log = read_log(folder / LOG)
    command = folder / COMMAND
    metrics = read_json(folder / METRICS)
    card = RunCard.read(folder / CARD)
    _check_configuration(folder, {METRICS: metrics.get("configuration"), CARD: card.configuration})
    return Run(
        folder,
        command.read_text(encoding="utf-8").strip() if command.exists() else card.command or "",
        metrics,
        card,
        log,
    )


def read_log(path: Path) -> list[dict[str, float]]:
    """One row an epoch.

    Raises:
        ValueError: it holds something else.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
    except (ValueError, TypeError, csv.Error):
        raise changed(path) from None


def _check_configuration(folder: Path, stored: Mapping[str, str | None]) -> None:
    """Refuse results that were not made with the configuration beside them; those of older versions do not say.

    Args:
        folder: of the run.
        stored: hash of the configuration by the file that knows it.
    """
    if not (folder / CONFIG).exists():
        return
    beside = configuration_hash(folder / CONFIG)
    for name, known in stored.items():
        if known not in (None, beside):
            raise ValueError(
                f"{folder}: {name} is of a run with another configuration than its {CONFIG}; was one of them changed "
                "or copied there? resume the run to write its results anew"
            )


def runs(folder: Path) -> list[Run]:
    """All finished runs in the folders of ``folder``, best test NDCG@10 first."""
    found = [read_run(path.parent) for path in sorted(folder.glob(f"*/{METRICS}"))]
    return sorted(found, key=lambda run: -run.metrics["test"]["ndcg@10"])

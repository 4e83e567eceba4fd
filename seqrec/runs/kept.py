"""Runs read back from their folders."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple


class Run(NamedTuple):
    """A kept run: what was asked, what came out, and one row an epoch."""

    model: str
    command: str
    metrics: dict[str, Any]
    protocol: dict[str, Any]
    log: list[dict[str, float]]


def runs(folder: Path) -> list[Run]:
    """All runs below ``folder``, best test NDCG@10 first."""
    found = []
    for path in sorted(folder.glob("*/metrics.json")):
        stored = path.parent
        with (stored / "log.csv").open(newline="") as file:
            log = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
        protocol = json.loads((stored / "protocol.json").read_text())
        command = (stored / "command").read_text().strip()
        found.append(Run(stored.name, command, json.loads(path.read_text()), protocol, log))
    return sorted(found, key=lambda run: -run.metrics["test"]["ndcg@10"])

"""The table of models, from the heads of their YAML files and the last recorded parity run.

``python -m seqrec.reporting.models`` writes it into ``docs/models.md``; ``python main.py --help`` shows it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

from seqrec.reporting.pages import ROOT, write_part
from seqrec.reporting.table import Table


class Model(NamedTuple):
    """What the head of ``conf/model/<name>.yaml`` says, and how many parity checks passed out of how many."""

    name: str
    idea: str
    paper: str
    reference: str
    passed: int
    checks: int

    @property
    def parity(self) -> str:
        """``31 of 31``, or ``not run``; where no code is public, what was compared with is our reading."""
        if not self.checks:
            return "not run"
        reading = ", our reading" if self.reference.startswith("no code") else ""
        return f"{self.passed} of {self.checks}{reading}"


def models(root: Path = ROOT) -> list[Model]:
    """All models with a paper, by name.

    Args:
        root: folder with ``conf/model`` and ``docs/parity.json``, which ``pytest tests/parity --record`` writes.
    """
    stored = root / "docs" / "parity.json"
    record: dict[str, dict[str, int]] = json.loads(stored.read_text())["models"] if stored.exists() else {}
    found = []
    for path in sorted((root / "conf" / "model").glob("*.yaml")):
        head = dict(re.findall(r"^# (Idea|Paper|Reference): (.+)$", path.read_text(), re.MULTILINE))
        if head:
            counts = record.get(path.stem, {})
            numbers = counts.get("passed", 0), counts.get("checks", 0)
            found.append(Model(path.stem, head.get("Idea", ""), head["Paper"], head["Reference"], *numbers))
    return found


def text_list(root: Path = ROOT) -> str:
    """One line a model, for the terminal."""
    rows = models(root)
    width = max(len(model.name) for model in rows) + 3
    return "\n".join(f"  {model.name.ljust(width)}{model.paper} ({model.reference}): {model.parity}" for model in rows)


def markdown_table(root: Path = ROOT) -> str:
    """The table of ``docs/models.md``."""
    columns = ["model", "paper", "reference", "parity checks passed"]
    rows = [
        [f"`{m.name}`", m.paper, m.reference, f"[{m.parity}](../tests/parity/test_{m.name}.py)"] for m in models(root)
    ]
    return Table(columns, rows).markdown()


if __name__ == "__main__":
    write_part(ROOT / "docs" / "models.md", "models", "seqrec.reporting.models", markdown_table())

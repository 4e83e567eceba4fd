"""What the parts found, as JSON and as a table in Markdown."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tabulate import tabulate

Row = dict[str, Any]
"""Values by the heading of their column."""


@dataclass
class Section:
    """Of the report.

    Attributes:
        number, title: of the part.
        rows: what it found before it ended.
        ended: how: ``whole``, or why it did not come to its end.
        seconds: that it took.
    """

    number: int
    title: str
    rows: list[Row] = field(default_factory=list)
    ended: str = "whole"
    seconds: float = 0.0

    def markdown(self) -> str:
        """A heading, how it ended where it was cut, and a table."""
        heading = f"### {self.number}. {self.title} ({self.seconds:.0f} s)\n\n"
        note = "" if self.ended == "whole" else f"Not complete: {self.ended}.\n\n"
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        cells = [[shown(row.get(name, "")) for name in columns] for row in self.rows]
        return heading + note + tabulate(cells, columns, tablefmt="github", disable_numparse=True) + "\n"


def write(sections: list[Section], facts: Row, folder: Path) -> str:
    """Write ``gpu.json`` and ``gpu.md``; returns what the latter holds."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {**facts, "parts": [asdict(section) for section in sections]}
    (folder / "gpu.json").write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
    text = "\n".join(section.markdown() for section in sections)
    (folder / "gpu.md").write_text(text, encoding="utf-8")
    return text


def shown(value: Any) -> str:
    """A number with three digits, anything else as it is."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)

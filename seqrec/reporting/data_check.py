"""What the checks of a log found, as tables, a picture and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from seqrec.data.checks.findings import CHECKS, Finding
from seqrec.reporting import figures
from seqrec.reporting.data_figure import data_figure
from seqrec.reporting.table import Cell, Table
from seqrec.reporting.terminal import console, from_here
from seqrec.runs.files import replacing, write_json

JSON = "check.json"
WITHOUT_TIMES = "no times here: ties, tied targets, what is learned of the future and drift need a log that has them"


def filter_table(found: Mapping[str, Any]) -> Table:
    """Rows, users and items of the source, after each filter, and of the parts of the split."""
    columns = ["step", "rows", "users", "items", "left out"]
    return Table(columns, [[_count(step[column]) for column in columns] for step in found["filters"]])


def findings_table(judged: Sequence[Finding]) -> Table:
    """A row a check."""
    rows: list[Sequence[Cell]] = [[one.name, _value(one), f"{one.limit:g}", one.verdict, one.detail] for one in judged]
    return Table(["check", "value", "limit", "verdict", "of which"], rows)


def published_table(found: Mapping[str, Any]) -> Table:
    """A row a published size."""
    columns = ["source", "cell", "printed", "ours", "verdict"]
    return Table(columns, [[row[column] for column in columns] for row in found["published"]])


def doubts(found: Mapping[str, Any]) -> list[str]:
    """Published sizes that cannot be those of the data, those with the same reason together."""
    cells: dict[tuple[str, str], list[str]] = {}
    for row in found["published"]:
        if row["why"]:
            cells.setdefault((row["source"], row["why"]), []).append(f"{row['cell']} {row['printed']}")
    return [f"{source}, {', '.join(names)}: {why}" for (source, why), names in cells.items()]


def sizes(name: str, found: Mapping[str, Any]) -> str:
    """A data set in one line."""
    return f"{name}: " + ", ".join(f"{found['sizes'][key]:,} {key}" for key in ("users", "items", "actions"))


def store(folder: Path, name: str, found: Mapping[str, Any], judged: Sequence[Finding]) -> None:
    """Write all figures as JSON, the tables as Markdown and the picture as PNG and SVG.

    Args:
        folder: made where it is missing.
        name: of the data set.
        found: its figures.
        judged: the verdicts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / JSON, {"name": name, **found, "findings": [asdict(one) for one in judged]})
    tables = [filter_table(found), findings_table(judged), *([published_table(found)] if found["published"] else [])]
    with replacing(folder / "check.md") as partial:
        partial.write_text("\n".join(table.markdown() for table in tables), encoding="utf-8")
    picture = data_figure(found, sizes(name, found))
    for ending in ("png", "svg"):
        figures.save(picture, folder / f"check.{ending}")


def show(folder: Path, name: str, found: Mapping[str, Any], judged: Sequence[Finding]) -> None:
    """The tables, each finding in a sentence, and where the files are."""
    parts = [sizes(name, found), filter_table(found).text()]
    if found["published"]:
        parts += [published_table(found).text(), *doubts(found)]
    parts.append(findings_table(judged).text())
    if found["ties"] is None:
        parts.append(WITHOUT_TIMES)
    beyond = [one for one in judged if one.verdict in ("warning", "fault")]
    lines = [f"{one.verdict}: {one.name} is {_value(one)}, above {one.limit:g} ({CHECKS[one.name]})" for one in beyond]
    parts.append("\n".join([*lines, f"all figures and the picture in {from_here(folder)}"]))
    console.print("\n" + "\n\n".join(parts), soft_wrap=True)


def _count(cell: Any) -> Cell:
    return f"{cell:,}" if isinstance(cell, int) else cell


def _value(one: Finding) -> str | None:
    if one.value is None:
        return None
    return f"{one.value:.0f}" if one.name == "published" else f"{one.value:.4f}"

"""Markdown of generated pages: text as it stands, tables, anchors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from seqrec.reporting.table import Cell, Table

CODE = re.compile(r"(`+[^`]+`+)")
SPECIAL = re.compile(r"([\\*_{}\[\]#|])")


def escaped(text: str) -> str:
    """Text that Markdown shows as it stands, but for code in backticks."""
    pieces = CODE.split(text)
    return "".join(
        piece if place % 2 else SPECIAL.sub(r"\\\1", piece).replace("<", "&lt;") for place, piece in enumerate(pieces)
    )


def code(text: str) -> str:
    """Code within a line; nothing of nothing."""
    return f"`{text}`" if text else ""


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table with an empty line before and after it; nothing where it has no rows."""
    listed = list(rows)
    return f"\n{Table(columns, listed).markdown()}\n" if listed else ""


def comment(text: str) -> str:
    """A comment of several lines: paragraphs, and commands, which are indented, as code."""
    blocks: list[tuple[bool, list[str]]] = []
    for line in text.splitlines():
        indented = line.startswith("  ")
        if not line.strip() or not blocks or blocks[-1][0] != indented:
            blocks.append((indented, []))
        if line.strip():
            blocks[-1][1].append(line.strip())
    return "\n".join(_block(*block) for block in blocks if block[1])


def _block(indented: bool, lines: Sequence[str]) -> str:
    if indented:
        return "\n".join(["", "```bash", *lines, "```", ""])
    return f"\n{escaped(' '.join(lines))}\n"


def anchor(name: str) -> str:
    """The anchor of a file of the configuration: ``model-loss-bce``."""
    return name.replace("/", "-")

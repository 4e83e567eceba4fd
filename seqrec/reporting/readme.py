"""Generated parts of README.md: each stands between two marks, the first of which says how it is made."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]


def in_step(readme: str, name: str, module: str, table: str) -> str:
    """``readme`` with ``table`` between the marks of the part ``name``, which ``python -m module`` writes.

    Raises:
        ValueError: the marks are missing.
    """
    begin, end = f"<!-- {name}: python -m {module} -->\n", f"<!-- end of {name} -->\n"
    if begin not in readme or end not in readme:
        raise ValueError(f"README.md: the part {name!r} belongs between the lines {begin.strip()} and {end.strip()}")
    return readme[: readme.index(begin) + len(begin)] + table + readme[readme.index(end) :]

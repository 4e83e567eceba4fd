"""Generated parts of pages: each stands between two marks, the first of which says how it is made."""

from __future__ import annotations

from pathlib import Path

from seqrec.runs.files import replacing

ROOT = Path(__file__).parents[2]


def in_step(page: str, name: str, module: str, table: str) -> str:
    """``page`` with ``table`` between the marks of the part ``name``, which ``python -m module`` writes.

    Raises:
        ValueError: the marks are missing.
    """
    begin, end = f"<!-- {name}: python -m {module} -->\n", f"<!-- end of {name} -->\n"
    if begin not in page or end not in page:
        raise ValueError(f"the part {name!r} belongs between the lines {begin.strip()} and {end.strip()}")
    return page[: page.index(begin) + len(begin)] + table + page[page.index(end) :]


def write_part(path: Path, name: str, module: str, table: str) -> None:
    """Write ``table`` into its part of a page."""
    page = in_step(path.read_text(encoding="utf-8"), name, module, table)
    with replacing(path) as partial:
        partial.write_text(page, encoding="utf-8")

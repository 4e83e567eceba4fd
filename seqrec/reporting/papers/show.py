"""What a person sees of a table, and the files that are left of it."""

from __future__ import annotations

from pathlib import Path

from seqrec.reporting import figures
from seqrec.reporting.papers.drawn import drawn
from seqrec.reporting.papers.look_up import Found
from seqrec.reporting.papers.published import Published
from seqrec.reporting.papers.written import Written
from seqrec.reporting.terminal import console, from_here
from seqrec.runs.files import replacing


def show(folder: Path, written: Written, note: str = "") -> None:
    """Print a table and what is missing of it; write it as Markdown, LaTeX and CSV, of a figure also the picture.

    Args:
        folder: for the files.
        written: the table.
        note: what is to be known of all of its numbers.
    """
    table, found = written.table, written.found
    console.print(f"\n{table.title} ({table.source})\n\n{written.terminal().text()}", soft_wrap=True)
    console.print(f"\n{written.legend()}", soft_wrap=True)
    for line in [*([note] if note else []), *found.left_out]:
        console.print(line, soft_wrap=True)
    _show_missing(found)
    folder.mkdir(parents=True, exist_ok=True)
    forms = {"md": written.markdown(), "tex": written.latex(), "csv": written.numbers().csv()}
    for ending, text in forms.items():
        with replacing(folder / f"{table.name}.{ending}") as partial:
            partial.write_text(text, encoding="utf-8")
    if table.drawn is not None:
        _draw(folder, table, written, note)
    console.print(
        f"\ntables in {from_here(folder)}: {', '.join(f'{table.name}.{end}' for end in forms)}", soft_wrap=True
    )


def _draw(folder: Path, table: Published, written: Written, note: str) -> None:
    picture = drawn(table, written.found.cells, written.metrics, note)
    for ending in ("png", "svg"):
        figures.save(picture, folder / f"{table.name}.{ending}")


def _show_missing(found: Found) -> None:
    lacking = [cell for cell in found.all() if cell.missing]
    whole = len(found.all())
    if not lacking:
        console.print(f"\nall runs of all {whole} cells are there", soft_wrap=True)
        return
    count = sum(len(cell.missing) for cell in lacking)
    console.print(f"\n{count} runs of {len(lacking)} of {whole} cells are missing; task.run=missing makes them:")
    for cell in lacking:
        console.print(f"  {cell.command}", soft_wrap=True)
        for seed, why in cell.failed.items():
            console.print(f"    seed {seed} failed: {why}", soft_wrap=True)

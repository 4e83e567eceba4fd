"""What a person sees in the terminal before and after a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from seqrec.methods.ranker import Ranker
from seqrec.reporting.comparison import Comparison
from seqrec.reporting.comparison_tables import differences_table, full_table, methods_table, slices_table
from seqrec.reporting.difference_figure import differences
from seqrec.reporting.figures import save
from seqrec.reporting.searches import curves, table
from seqrec.reporting.sweep_table import by_split, of_jobs, over_seeds, store
from seqrec.reporting.table import Table
from seqrec.runs.files import replacing
from seqrec.runs.origin import Origin
from seqrec.runs.sweep import Job

console = Console(highlight=False, markup=False)
SHOWN = 60  # rows of a table of slices


def show_start(name: str, model: Ranker, folder: Path, validated: bool = True) -> None:
    """One line on the model, one on where its values come from, one on the run folder.

    Args:
        name: of the model.
        model: about to be trained.
        folder: of the run.
        validated: validation selects the weights; else the last ones are taken.
    """
    weights = sum(p.numel() for p in model.parameters() if p.requires_grad)
    taken = f"selected by val/{model.monitor}" if validated else "those of the last epoch are taken"
    console.print(f"model   {name}: {weights:,} weights, {taken}")
    origin = Origin.read(folder)
    files = {"settings": origin.settings, "paper_settings": origin.paper_settings}
    applied = [f"conf/{group}/{option}.yaml" for group, option in files.items() if option]
    if applied:
        console.print(f"values  of {' and '.join(applied)}", soft_wrap=True)
    console.print(f"folder  {from_here(folder)}", soft_wrap=True)


def show_result(title: str, table: Table, folder: Path) -> None:
    """The result table: one row a model, and its intervals below."""
    console.print(f"\n{title}\n\n{table.stacked().text()}\n", soft_wrap=True)
    console.print(f"results and plots in {from_here(folder)}", soft_wrap=True)


def show_sweep(folder: Path, jobs: Sequence[Job]) -> None:
    """The tables of a sweep, which are stored in its folder too; jobs of another split have their own."""
    parts = by_split(jobs)
    names = ["table", *(f"table_{number}" for number in range(2, len(parts) + 1))]
    for name, (split, some) in zip(names, parts.items(), strict=True):
        table, seeds = of_jobs(some), over_seeds(some)
        store(folder, table, seeds, name)
        if len(parts) > 1:
            console.print(f"\nsplit by {split}", soft_wrap=True)
        for each in (table, seeds):
            if each is not None:
                console.print(f"\n{each.text()}", soft_wrap=True)
    files = ", ".join(f"{name}.{ending}" for name in names for ending in ("csv", "md", "tex"))
    console.print(f"\ntables in {from_here(folder)}: {files}", soft_wrap=True)


def show_searches(folder: Path, searches: Mapping[str, Sequence[Job]], metric: str) -> None:
    """The table of several searches and their picture, which are stored in the folder above theirs."""
    found = table(searches, metric)
    store(folder, found, None)
    for ending in ("png", "svg"):
        save(curves(searches, metric), folder / f"best_so_far.{ending}")
    console.print(f"\n{found.text()}", soft_wrap=True)
    console.print(f"\ntables and best_so_far.png in {from_here(folder)}", soft_wrap=True)


def show_comparison(title: str, found: Comparison, folder: Path, left_out: str | None) -> None:
    """The tables of a comparison, which are stored with its picture in a folder.

    Args:
        title: what was compared on.
        found: the comparison.
        folder: made if need be; an older comparison there is replaced.
        left_out: why the data set tells nothing about the users; None where it does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = [methods_table(found), differences_table(found), *([slices_table(found)] if found.slices else [])]
    texts = {
        "comparison.csv": full_table(found).csv(),
        "comparison.md": f"{title}\n\n" + "\n".join(each.markdown() for each in parts),
        "comparison.tex": "\n\n".join(each.latex() for each in parts) + "\n",
    }
    for name, text in texts.items():
        with replacing(folder / name) as partial:
            partial.write_text(text, encoding="utf-8")
    figure = differences(found, title)
    for ending in ("png", "svg"):
        save(figure, folder / f"differences.{ending}")
    console.print(f"\n{title}", soft_wrap=True)
    for each in [part for part in parts if len(part.rows) <= SHOWN]:
        console.print(f"\n{each.text()}", soft_wrap=True)
    console.print(f"\np values by Holm over {len(found.rows)} comparisons; intervals of slices are not corrected")
    if any(row.found.total_error is None for row in found.rows):
        console.print("of a method with one seed it is not known how far another training would lie")
    if left_out:
        console.print(f"slices by repeat and recency are left out: {left_out}", soft_wrap=True)
    hidden = ", those of slices too," if len(parts[-1].rows) > SHOWN else ""
    console.print(f"tables{hidden} and picture in {from_here(folder)}", soft_wrap=True)


def from_here(folder: Path) -> Path:
    """A folder below the current one by its short name, which a command can take as well."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder

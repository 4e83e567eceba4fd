"""What a person sees in the terminal before and after a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from seqrec.data.datamodule import SequenceDataModule
from seqrec.methods.base import Recommender

console = Console(highlight=False)


def show_start(name: str, model: Recommender, data: SequenceDataModule, folder: Path) -> None:
    """One line on the data, one on the model, one on the run folder."""
    sequences = data.sequences
    weights = sum(p.numel() for p in model.parameters() if p.requires_grad)
    console.print(
        f"data    {data.name}: {sequences.num_users:,} users, {sequences.num_items:,} items, "
        f"{sequences.num_interactions:,} interactions"
    )
    console.print(f"model   {name}: {weights:,} weights, selected by val/{model.monitor}")
    console.print(f"folder  {folder}", soft_wrap=True)


def show_result(title: str, rows: Mapping[str, Mapping[str, float]], names: list[str], folder: Path) -> None:
    """The result table: one row a model, one column a metric."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("model", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for model, metrics in rows.items():
        table.add_row(model, *(f"{metrics[name]:.4f}" for name in names))
    console.print(table)
    console.print(f"results and plots in {folder}", soft_wrap=True)

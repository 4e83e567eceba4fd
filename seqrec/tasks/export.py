"""export: a finished run as a bundle, a folder that recommends without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from omegaconf import DictConfig
from rich.console import Console

from seqrec.export.bundle import Written, write_bundle

READERS: dict[str, Any] = {".csv": pl.read_csv, ".jsonl": pl.read_ndjson, ".parquet": pl.read_parquet}


def export(config: DictConfig, run: str, output: str, quant: str, names: str | None) -> None:
    """Write the bundle of a run, see :func:`~seqrec.export.bundle.write_bundle`.

    Args:
        config: the whole configuration, of which the task alone counts: the run knows its model and its data.
        run: folder of a finished run.
        output: folder to write.
        quant: ``none`` or ``int8``.
        names: table of the items' names, with the columns ``item`` and ``name``.

    Raises:
        ValueError: what is wrong with an option, the run or a file.
    """
    called = {} if names is None else read_names(Path(names).expanduser())
    written = write_bundle(Path(run).expanduser(), Path(output).expanduser(), str(quant).lower(), called)
    screen = Console(highlight=False, markup=False)
    for line in summary(written):
        screen.print(line, soft_wrap=True)


def read_names(path: Path) -> dict[str, str]:
    """Names by the text of the item's id.

    Raises:
        ValueError: the file is of another kind, damaged, or has no such columns.
    """
    if path.suffix not in READERS:
        raise ValueError(f"task.names={path}: give a table that ends in {', '.join(READERS)}")
    try:
        table = READERS[path.suffix](path)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"task.names={path} cannot be read: {error}") from None
    if not {"item", "name"} <= set(table.columns):
        raise ValueError(f"task.names={path} has the columns {', '.join(table.columns)}; it needs item and name")
    kept = table.select(pl.col("item", "name").cast(pl.String)).drop_nulls()
    return dict(kept.iter_rows())


def summary(written: Written) -> list[str]:
    """What was written, in a few lines."""
    parity, cost = written.parity, written.cost
    times = ", ".join(f"{time['p50']:.2f} ms after {length} items" for length, time in cost["cpu_ms"].items())
    lines = [
        f"bundle  {written.folder}, {cost['bytes'] / 1e6:.2f} MB",
        f"lists   {parity['identical']:.1%} of {parity['histories']} are those of the run, "
        f"{parity['overlap']:.1%} of their items",
        f"cost    {times}, of CPU time on one thread; {_start(cost['first_answer'])}",
    ]
    if cost["vnni"] is False:
        lines.append("note    this processor has no VNNI, so 8-bit products are slow here and may overflow")
    return [*lines, f"try     cd {written.folder} && python recommend.py --history ... --k 10"]


def _start(first: dict[str, Any]) -> str:
    peak = "" if first["peak_mb"] is None else f" and {first['peak_mb']:.0f} MB"
    return f"the first list of a new process takes {first['cpu_seconds']:.2f} s{peak}"

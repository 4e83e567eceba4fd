"""A log that one machine does not hold, prepared with Ray Data on a cluster, or on this machine where there is none.

    pip install "ray[data]"
    python docs/examples/prepare_with_ray.py log out --min-user 5 --min-item 5

``log`` is a folder of parquet files that all machines see, as is ``out``. What is written there is read without a
filter, and gives the histories and the numbers of users and items that the log itself gives with ``data.min_user=5
data.min_item=5``::

    python main.py model=sasrec data=custom data.path=out data.min_user=1 data.min_item=1

The log is divided by users once. Then each pass of the k-core counts, in each part, the items of users that have
enough of those that are left. A machine holds a few parts at a time, and the ids of all items that are left.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import ray

from seqrec.data.readers.parts import part_files

WHOLE = {"batch_size": None, "batch_format": "pyarrow"}  # a function is given a part as it is
BITS = 40  # of a row's number within its piece of the log; those above are the number of the piece


def main() -> None:
    """Read the options, prepare the log and say what is left of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path, help="a parquet file, or a folder of them")
    parser.add_argument("out", type=Path, help="the folder that is written; must not exist")
    for column in ("user", "item", "time"):
        parser.add_argument(f"--{column}", default=column, help="name of this column in the log")
    for what in ("user", "item"):
        parser.add_argument(f"--min-{what}", type=int, default=5, help=f"interactions that a {what} needs")
    parser.add_argument("--parts", type=int, default=64, help="of the log; more and smaller ones need less memory")
    asked = parser.parse_args()
    if asked.out.exists():
        parser.error(f"{asked.out} exists; name another folder, or remove it")
    ray.data.DataContext.get_current().target_max_block_size = None  # a part is not divided, whatever its size
    rows = by_user(asked.log, {asked.user: "user", asked.item: "item", asked.time: "time"}, asked.parts)
    items = core_items(rows, asked.min_user, asked.min_item)
    asked.out.mkdir(parents=True)
    ordered = rows.map_batches(partial(core_rows, items=items, min_user=asked.min_user), **WHOLE).sort("first")
    written = ordered.map_batches(partial(write, out=asked.out.resolve()), **WHOLE).sum("rows")
    print(f"{written:,} interactions are left, in {asked.out}")


def by_user(log: Path, names: dict[str, str], parts: int) -> Any:
    """The log in parts, each with all rows of its users: ``user, item, time, row``, the last its number in the log."""
    files = [(str(file.resolve()), pq.ParquetFile(file).num_row_groups) for file in part_files(log)]
    pieces = [(file, group) for file, groups in files for group in range(groups)]
    numbered = [{"number": number, "file": file, "group": group} for number, (file, group) in enumerate(pieces)]
    read = ray.data.from_items(numbered, override_num_blocks=len(pieces)).map_batches(
        partial(rows_of, names=names), batch_size=1
    )
    return read.repartition(parts, keys=["user"]).materialize()


def rows_of(piece: dict[str, Any], names: dict[str, str]) -> pa.Table:
    """One piece of the log, a group of rows of a file."""
    (file,), (group,), (number,) = piece["file"], piece["group"], piece["number"]
    table = pl.from_arrow(pq.ParquetFile(file).read_row_group(int(group), columns=list(names)))
    for name in names:
        if table[name].null_count():
            raise ValueError(f"{file}: {table[name].null_count()} rows have no `{name}`; leave them out first")
    row = pl.int_range(pl.len()) + (int(number) << BITS)
    columns = [pl.col(name).alias(key) for name, key in names.items()]
    return arrow(table.select(*columns, row=row).with_columns(pl.col(pl.String).str.strip_chars()))


def core_items(rows: Any, min_user: int, min_item: int) -> Any:
    """The items of the k-core, where all machines find them: passes over the log until no item goes any more."""
    items, before = None, -1
    while True:
        counts = pl.DataFrame()
        counted = rows.map_batches(partial(item_counts, items=items, min_user=min_user), **WHOLE)
        for part in counted.iter_batches(**WHOLE):
            counts = pl.concat([counts, pl.from_arrow(part)]).group_by("item").sum()
        left = counts.filter(pl.col("rows") >= min_item)["item"] if len(counts) else []
        if not len(left):
            sys.exit(f"error: no interactions are left with --min-user {min_user} --min-item {min_item}; lower them")
        print(f"k-core: {len(left):,} items are left")
        if len(left) == before:
            return items
        items, before = ray.put(left), len(left)


def item_counts(part: pa.Table, items: Any, min_user: int) -> pa.Table:
    """How often each item occurs among the rows that are left of a part: ``item, rows``."""
    left = pl.from_arrow(core_rows(part, items, min_user))
    return arrow(left.group_by("item").agg(rows=pl.len().cast(pl.Int64)))


def core_rows(part: pa.Table, items: Any, min_user: int) -> pa.Table:
    """The rows of ``items`` (None: of all) by users with enough of them; ``first`` is the user's first in the log."""
    rows = pl.from_arrow(part).lazy().with_columns(first=pl.col("row").min().over("user"))
    if items is not None:
        rows = rows.filter(pl.col("item").is_in(ray.get(items).implode()))
    return arrow(rows.filter(pl.len().over("user") >= min_user).collect())


def write(part: pa.Table, out: Path) -> dict[str, list[int]]:
    """A file of users in the order of their first rows, each in the order of time, ties in that of the log."""
    rows = pl.from_arrow(part).sort("first", "time", "row")
    if len(rows):  # files are read in the order of their numbers
        rows.select("user", "item", "time").write_parquet(out / f"part-{rows['first'][0]}.parquet")
    return {"rows": [len(rows)]}


def arrow(table: pl.DataFrame) -> pa.Table:
    """A table of Arrow without the newer types of text, which Ray does not sort."""
    return table.to_arrow(compat_level=pl.CompatLevel.oldest())


if __name__ == "__main__":
    main()

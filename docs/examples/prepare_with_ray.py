"""Prepare a log that is too large for one machine, on a Ray cluster: the k-core, sorted, as parquet files.

    pip install "ray[data]"
    python prepare_with_ray.py log out --user customer --item sku --time day --core 5
    python main.py model=sasrec data=custom data.path=out data.min_user=1 data.min_item=1

``log`` is a parquet file or a folder of them, on any file system that Ray reads; ``out`` becomes a folder of parquet
files with the columns user, item and time, one user after the other, each oldest first; ties in time are in the order
of the item ids. The driver holds the ids that one round leaves out, the workers all else. ``RAY_ADDRESS`` names the
cluster; without it Ray starts one on this machine.
"""

from __future__ import annotations

import argparse

import pyarrow as pa
import pyarrow.compute as pc
import ray

KEYS = ("user", "item", "time")


def main() -> None:
    """Read, filter until nothing changes, sort, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log")
    parser.add_argument("out")
    for key in KEYS:
        parser.add_argument(f"--{key}", default=key, help=f"name of the column (default: {key})")
    parser.add_argument("--core", type=int, default=5, help="interactions that a user and an item need (default: 5)")
    arguments = parser.parse_args()
    names = [getattr(arguments, key) for key in KEYS]
    log = ray.data.read_parquet(arguments.log, columns=names)
    log = log.map_batches(lambda table: table.select(names).rename_columns(KEYS), batch_format="pyarrow").materialize()
    while True:
        rows = log.count()
        for key in ("user", "item"):
            log = without_rare(log, key, arguments.core).materialize()
        print(
            f"{log.count():,} of {rows:,} interactions have users and items with {arguments.core} and more", flush=True
        )
        if log.count() == rows:
            break
    log.sort(list(KEYS[:1] + KEYS[2:] + KEYS[1:2])).write_parquet(arguments.out)


def without_rare(log: ray.data.Dataset, key: str, least: int) -> ray.data.Dataset:
    """The rows whose user, or item, has enough of them."""
    counts = log.groupby(key).count()
    few = counts.map_batches(lambda table: table.filter(pc.less(table["count()"], least)), batch_format="pyarrow")
    parts = [batch[key] for batch in few.iter_batches(batch_format="pyarrow")]
    rare = ray.put(pa.chunked_array(parts).combine_chunks() if parts else pa.array([]))

    def frequent(table: pa.Table) -> pa.Table:
        ids = ray.get(rare)
        return table.filter(pc.invert(pc.is_in(table[key], value_set=ids.cast(table[key].type)))) if len(ids) else table

    return log.map_batches(frequent, batch_format="pyarrow")


if __name__ == "__main__":
    main()

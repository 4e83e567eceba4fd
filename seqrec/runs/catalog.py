"""Which raw id stands behind each number of a run's model: two tables in the run folder, written before training.

The numbers of the items are drawn by the run's seed, so weights mean nothing without them. Raw ids are compared as
text (1 and "1" are the same id) and come back in their own type.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import Tensor

from seqrec.data.sequences import Sequences
from seqrec.data.writing import write_parquet
from seqrec.runs.files import changed, replacing

CATALOG, USERS = "catalog.parquet", "users.parquet"
FIRST_ITEM, FIRST_USER = 1, 0


def write_catalog(folder: Path, sequences: Sequences) -> None:
    """Write ``catalog.parquet``, one line an item: raw id, number 1..I, training interactions, place in the source.

    Raises:
        ValueError: two different ids have the same text.
    """
    training = sequences.items[sequences.training_mask()].long()
    count = torch.bincount(training, minlength=sequences.num_items + 1)[1:]
    more = {"count": count.numpy(), "source_order": sequences.source_order.numpy()}
    _write(folder / CATALOG, "item", Numbers(sequences.item_ids, FIRST_ITEM), more)


def write_users(folder: Path, sequences: Sequences) -> None:
    """Write ``users.parquet``, one line a user: raw id and number 0..U-1.

    Raises:
        ValueError: two different ids have the same text.
    """
    _write(folder / USERS, "user", Numbers(sequences.user_ids, FIRST_USER), {})


def read_catalog(folder: Path) -> Catalog:
    """The items of a run.

    Raises:
        ValueError: the folder has no such table.
    """
    table = _read(folder / CATALOG, "items", {"item", "number", "count", "source_order"})
    count, source_order = (torch.from_numpy(table[name].to_numpy(writable=True)) for name in ("count", "source_order"))
    return Catalog(table["item"], count, source_order)


def read_users(folder: Path) -> Numbers:
    """The users of a run.

    Raises:
        ValueError: the folder has no such table.
    """
    return Numbers(_read(folder / USERS, "users", {"user", "number"})["user"], FIRST_USER)


class Numbers:
    """Raw ids and their numbers.

    Args:
        raw: ids in the order of their numbers.
        first: number of the first of them.

    Raises:
        ValueError: two different ids have the same text.
    """

    def __init__(self, raw: pl.Series, first: int) -> None:
        self.raw, self.first = raw, first
        self._place: dict[str, int] = {}
        for place, value in enumerate(raw.to_list()):
            other = self._place.setdefault(str(value), place)
            if other != place:
                raise ValueError(
                    f"the ids {raw[other]!r} and {value!r} have the same text, so one could not be asked for without "
                    "the other; give one of them another id in the data"
                )

    def __len__(self) -> int:
        return len(self.raw)

    def numbers(self, ids: Iterable[Any]) -> Tensor:
        """Numbers ``(N,)`` int64 of raw ids, which may have any type; ``first - 1`` where an id is unknown."""
        unknown = -1
        return self.first + torch.tensor([self._place.get(str(value), unknown) for value in ids], dtype=torch.int64)

    def ids(self, numbers: Tensor) -> pl.Series:
        """Raw ids, in their own type, of numbers ``(N,)``; null for ``first - 1``, which stands for none."""
        place = pl.Series(numbers.cpu().numpy() - self.first)
        return self.raw.gather(place.set(place < 0, None))


class Catalog(Numbers):
    """The items of a run: ids 1..I, 0 is none.

    Attributes:
        count: ``(I,)`` int64, training interactions of each item.
        source_order: ``(I,)`` int64, place 1..I of each item in the source.
    """

    def __init__(self, raw: pl.Series, count: Tensor, source_order: Tensor) -> None:
        super().__init__(raw, FIRST_ITEM)
        self.count, self.source_order = count, source_order


def _write(path: Path, column: str, numbers: Numbers, more: dict[str, Any]) -> None:
    """Write a table in one step."""
    number = pl.int_range(numbers.first, numbers.first + len(numbers), dtype=pl.Int64, eager=True)
    table = pl.DataFrame({column: numbers.raw, "number": number} | more)
    with replacing(path) as partial:
        write_parquet(partial, table)


def _read(path: Path, what: str, columns: set[str]) -> pl.DataFrame:
    if not path.exists():
        raise ValueError(
            f"{path} is missing, as in runs of older versions, so raw ids of {what} are not known; train the run again "
            "to have them, or go on with numbers"
        )
    try:
        table = pl.read_parquet(path)
    except pl.exceptions.PolarsError:
        table = pl.DataFrame()
    if not columns <= set(table.columns):
        raise changed(path)
    return table.sort("number")

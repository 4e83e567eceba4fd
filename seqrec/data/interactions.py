"""From an interaction table to sequences: k-core, order in time, numbering."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import torch

from seqrec.data.dropped import Dropped, note
from seqrec.data.errors import DataError
from seqrec.data.sequences import Sequences

Numbering = Literal["first_seen", "raw_id"]


def k_core(frame: pl.DataFrame, users: int, items: int) -> pl.DataFrame:
    """Drop users and items with too few interactions, again and again until nothing changes.

    Interactions count, not distinct partners.

    Args:
        frame: has columns ``user`` and ``item``, one row an interaction.
        users: interactions a user needs.
        items: interactions an item needs.

    Returns:
        The rows that are left, in their order; possibly none.
    """
    enough = (pl.len().over("user") >= users) & (pl.len().over("item") >= items)
    while True:
        kept = frame.filter(enough)
        if len(kept) == len(frame):
            return kept
        frame = kept


def core_name(users: int, items: int) -> str:
    """What the filter is called: ``5-core``, or ``(3, 2)-core`` where users and items need different numbers."""
    return f"{users}-core" if users == items else f"({users}, {items})-core"


def checked_k_core(frame: pl.DataFrame, users: int, items: int, source: Path) -> pl.DataFrame:
    """:func:`k_core`, and an error that names ``source`` if nothing is left.

    Raises:
        DataError: no interaction survives.
    """
    kept = k_core(frame, users, items)
    if kept.is_empty():
        raise DataError(
            f"{source}: {core_name(users, items)} filtering left no users ({len(frame)} interactions before); "
            f"lower the thresholds min_user={users} and min_item={items}"
        )
    return kept


def to_sequences(
    frame: pl.DataFrame,
    source: Path,
    min_user: int,
    min_item: int,
    numbering: Numbering,
    dropped: Dropped | None = None,
) -> Sequences:
    """Filter, sort and number interactions.

    Each user's interactions are sorted by time with a stable sort, so that ties keep the order of the file.

    Args:
        frame: ``user``, ``item``, ``time`` in file order.
        source: the file, for messages.
        min_user, min_item: k-core thresholds.
        numbering: ``first_seen``: users in the order of their first line in the file (before filtering),
            items by first appearance when walking through the users in that order. ``raw_id``: both by rank
            of the raw id.
        dropped: what earlier steps left out; becomes part of the result.

    Returns:
        Sequences whose ids are the source's numbering: ``source_order`` is ``1..I``.

    Raises:
        DataError: the k-core is empty.
    """
    first_seen = numbering == "first_seen"
    line = pl.col("line").min()
    frame = frame.with_row_index("line").with_columns(user_key=line.over("user") if first_seen else "user")
    everything, steps = frame, dict(dropped or {})
    frame = checked_k_core(frame, min_user, min_item, source)
    note(steps, core_name(min_user, min_item), everything, frame)
    frame = frame.sort("user_key", "time", maintain_order=True).drop("line").with_row_index("line")
    frame = frame.with_columns(item_key=line.over("item") if first_seen else "item")
    frame = frame.with_columns(id=pl.col("item_key").rank("dense").cast(pl.Int32))
    users = frame.group_by("user_key", maintain_order=True).agg(pl.col("user").first(), pl.len())
    item_ids = frame.select("id", "item").unique("id").sort("id")["item"]
    offsets = np.concatenate([[0], users["len"].to_numpy().astype(np.int64).cumsum()])
    return Sequences(
        items=torch.from_numpy(frame["id"].to_numpy(writable=True)),
        offsets=torch.from_numpy(offsets),
        user_ids=users["user"],
        item_ids=item_ids,
        source_order=torch.arange(1, len(item_ids) + 1),
        dropped=steps,
    )

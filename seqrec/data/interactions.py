"""From an interaction table to sequences: k-core, order in time, numbering."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import torch

from seqrec.data.dropped import Dropped
from seqrec.data.errors import DataError
from seqrec.data.numbering import by_user_and_time, core, counted, distinct, numbered
from seqrec.data.progress import tell
from seqrec.data.sequences import Sequences
from seqrec.data.watched import ran, sorted_by

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
    user, item = (numbered(frame[key], distinct(frame[key], first_seen=True)) for key in ("user", "item"))
    return frame.filter(pl.Series(core(user, item, users, items), dtype=pl.Boolean))


def core_name(users: int, items: int) -> str:
    """What the filter is called: ``5-core``, or ``(3, 2)-core`` where users and items need different numbers."""
    return f"{users}-core" if users == items else f"({users}, {items})-core"


def checked_k_core(frame: pl.DataFrame, users: int, items: int, source: Path) -> pl.DataFrame:
    """:func:`k_core`, and an error that names ``source`` if nothing is left.

    Raises:
        DataError: no interaction survives.
    """
    ran(core_name(users, items))
    kept = k_core(frame, users, items)
    _refuse_nothing(len(kept), len(frame), users, items, source)
    return kept


def _refuse_nothing(kept: int, rows: int, users: int, items: int, source: Path) -> None:
    if not kept:
        raise DataError(
            f"{source}: {core_name(users, items)} filtering left no users ({rows} interactions before); "
            f"lower the thresholds min_user={users} and min_item={items}"
        )


def to_sequences(
    frame: pl.DataFrame,
    source: Path,
    min_user: int,
    min_item: int,
    numbering: Numbering,
    dropped: Dropped | None = None,
    keep: str | None = None,
) -> Sequences:
    """Filter, sort and number interactions; the sort by user and time is stable, so that ties keep the file's order.

    Args:
        frame: ``user``, ``item``, ``time`` in file order.
        source: the file, for messages.
        min_user, min_item: k-core thresholds.
        numbering: ``first_seen``: users in the order of their first line in the file (before filtering),
            items by first appearance when walking through the users in that order. ``raw_id``: both by rank
            of the raw id.
        dropped: what earlier steps left out; becomes part of the result.
        keep: column of ``frame``, of numbers or dates, that becomes ``split_key``; a data set's ``split.key``.

    Returns:
        Sequences whose ids are the source's numbering: ``source_order`` is ``1..I``.

    Raises:
        DataError: the k-core is empty.
    """
    first_seen, rows, steps = numbering == "first_seen", len(frame), dict(dropped or {})
    tell("numbering users and items", rows)
    users, items = (distinct(frame[key], first_seen) for key in ("user", "item"))
    user, item, time = numbered(frame["user"], users), numbered(frame["item"], items), frame["time"]
    key = None if keep is None else _comparable(frame[keep])
    del frame  # where the caller does not hold it either, what follows has its room
    tell(f"{core_name(min_user, min_item)}: dropping users and items with too few", rows)
    ran(core_name(min_user, min_item))
    kept = core(user, item, min_user, min_item)
    if not kept.all():
        user, item, time = user[kept], item[kept], time.filter(pl.Series(kept))
        _refuse_nothing(len(user), rows, min_user, min_item, source)
    tell("sorting by user and time", len(user))
    order = sorted_by(time, by_user_and_time(user, time))
    del time
    item, key = item[order], None if key is None else key[kept][order]
    del order
    lengths = counted(user, len(users))
    present = distinct(pl.Series(item), first_seen).to_numpy()
    number = np.zeros(len(items), dtype=np.int32)
    number[present] = np.arange(1, len(present) + 1)
    if len(user) < rows:
        lost = {"users": int((lengths == 0).sum()), "items": len(items) - len(present)}
        steps[core_name(min_user, min_item)] = {"rows": rows - len(user), **lost}
    return Sequences(
        items=torch.from_numpy(number[item]),
        offsets=torch.from_numpy(np.concatenate([[0], lengths[lengths > 0].cumsum()])),
        user_ids=users.filter(pl.Series(lengths > 0)),
        item_ids=items.gather(present),
        source_order=torch.arange(1, len(present) + 1),
        dropped=steps,
        split_key=None if key is None else torch.from_numpy(key),
    )


def _comparable(column: pl.Series) -> np.ndarray:
    """A column of numbers as it is, one of dates as microseconds since 1970."""
    if column.dtype == pl.Date or isinstance(column.dtype, pl.Datetime):
        column = column.cast(pl.Datetime("us")).dt.timestamp("us")
    if not column.dtype.is_numeric():
        raise DataError(f"a split by {column.name} needs numbers or dates there, not {column.dtype}")
    return column.to_numpy()

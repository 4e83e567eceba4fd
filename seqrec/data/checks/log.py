"""A prepared log with its times, and the parts that leave-one-out makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from seqrec.data.sequences import Sequences
from seqrec.data.watched import Watched, watched
from seqrec.data.windows import Windows, held_out

Array = np.ndarray[Any, np.dtype[Any]]
Figures = dict[str, Any]
"""What a check found, as JSON."""


@dataclass(frozen=True)
class Log:
    """Histories as they were read, before the items get the numbers that models see.

    Attributes:
        sequences: in the source's numbering.
        seen: what the preparation passed through.
        validation: ``(V,)`` places of the validation targets.
        test: ``(E,)`` places of the test targets.
    """

    sequences: Sequences
    seen: Watched
    validation: Array
    test: Array

    @property
    def time(self) -> Array | None:
        """``(nnz,)`` key by which the interactions of a user were sorted; None where only their order is known."""
        return None if self.seen.in_file_order else self.seen.time

    @cached_property
    def owner(self) -> Array:
        """``(nnz,)`` the user of each interaction."""
        return self.sequences.owner.numpy()

    @cached_property
    def item(self) -> Array:
        """``(nnz,)`` int64, items from 0."""
        return self.sequences.items.numpy().astype(np.int64) - 1

    @cached_property
    def training(self) -> Array:
        """``(nnz,)`` which interactions are trained on."""
        return self.sequences.training_mask().numpy()

    @cached_property
    def training_count(self) -> Array:
        """``(I,)`` interactions of each item that are trained on."""
        return np.bincount(self.item[self.training], minlength=self.sequences.num_items)


def leave_one_out(sequences: Sequences) -> tuple[Sequences, Windows, Windows]:
    """The same histories, and the windows of validation and test."""
    return sequences, held_out(sequences, from_end=2), held_out(sequences, from_end=1)


def observed(
    read: Callable[[], Sequences],
    divide: Callable[[Sequences], tuple[Sequences, Windows, Windows]] = leave_one_out,
) -> Log:
    """The log that ``read`` prepares from its source, divided.

    A data set that prepares its log without :func:`~seqrec.data.interactions.to_sequences` has no times here.
    """
    with watched() as seen:
        sequences, validation, test = divide(read())
    if seen.time is not None and len(seen.time) != sequences.num_interactions:
        seen.time = None
    return Log(sequences, seen, validation.stop.numpy(), test.stop.numpy())


def filters(log: Log) -> list[Figures]:
    """Rows, users and items of the source and after each filter, then of the parts of the split.

    The differences are those that the filters themselves wrote down.
    """
    sequences = log.sequences
    size = {"rows": sequences.num_interactions, "users": sequences.num_users, "items": sequences.num_items}
    steps: list[Figures] = [{"step": "prepared", **size, "left out": 0}]
    names = [*sequences.dropped, *(name for name in log.seen.steps if name not in sequences.dropped)]
    order = {name: place for place, name in enumerate(log.seen.steps)}
    for name in sorted(names, key=lambda name: order.get(name, -1), reverse=True):
        lost = sequences.dropped.get(name, {})
        steps[-1] |= {"step": name, "left out": lost.get("rows", 0)}
        size = {key: count + lost.get(key, 0) for key, count in size.items()}
        steps.append({"step": "read", **size, "left out": 0})
    if len(steps) == 1:
        steps[0]["step"] = "read"
    return [*reversed(steps), *_split(log)]


def _split(log: Log) -> list[Figures]:
    """What is trained on, the targets, and what is neither, as of users that are too short."""
    unused = ~log.training
    unused[log.validation] = unused[log.test] = False
    parts: Sequence[tuple[str, Array]] = [
        ("training", np.flatnonzero(log.training)),
        ("validation targets", log.validation),
        ("test targets", log.test),
        ("not used", np.flatnonzero(unused)),
    ]
    rows: list[Figures] = []
    for name, places in parts:
        users, items = len(np.unique(log.owner[places])), len(np.unique(log.item[places]))
        rows.append({"step": name, "rows": len(places), "users": users, "items": items, "left out": None})
    return rows

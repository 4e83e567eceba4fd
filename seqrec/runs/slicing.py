"""Groups of users within which runs are compared: by history, by target, and by whether they had the target before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seqrec.runs.result import spans

if TYPE_CHECKING:  # a data module is Lightning's, which reading a run back does not need
    from seqrec.data.datamodule import SequenceDataModule

LENGTH, POPULARITY, STEPS = "history_length", "target_popularity", "steps_since"
TITLES = {LENGTH: "history length", POPULARITY: "target popularity", STEPS: "recency of a repeat"}


@dataclass(frozen=True)
class Slice:
    """Some of the users.

    Attributes:
        by: what divides them.
        name: of this part.
        users: ``(U,)`` bool, who belongs to it.
    """

    by: str
    name: str
    users: NDArray[np.bool_]


def slices(users: pl.DataFrame) -> list[Slice]:
    """All slices that a table of users can tell; parts of which one would hold all users are left out.

    Args:
        users: with some of ``history_length``, ``target_popularity`` (training interactions of the target), and
            ``steps_since`` of :func:`steps_since_target`.
    """
    found: list[Slice] = []
    for column in (LENGTH, POPULARITY):
        if column in users.columns:
            found += _by_size(column, users[column].to_numpy(), np.ones(len(users), bool))
    if POPULARITY in users.columns:
        cold = users[POPULARITY].to_numpy() == 0
        found += [Slice("cold target", "not in training", cold), Slice("cold target", "in training", ~cold)]
    if STEPS in users.columns:
        steps = users[STEPS].fill_null(0).to_numpy()
        again = steps > 0
        found += [Slice("repeat", "had it before", again), Slice("repeat", "new to the user", ~again)]
        found += _by_size(STEPS, steps, again)
    return [part for part in found if 0 < part.users.sum() < len(users)]


def of_lengths(users: pl.DataFrame, spans: Sequence[tuple[int, int | None]]) -> list[Slice]:
    """Slices of given history lengths.

    Args:
        users: with ``history_length``.
        spans: least length, and the length below which it ends; None for no end.
    """
    length, found = users[LENGTH].to_numpy(), []
    for least, end in spans:
        chosen = (length >= least) & (length < (np.inf if end is None else end))
        found.append(Slice(TITLES[LENGTH], name_of_lengths(least, end), chosen))
    return found


def name_of_lengths(least: int, end: int | None) -> str:
    """In words, such as ``8 to 19``."""
    if end is None:
        return f"{least} and more"
    return f"{least} to {end - 1}" if least else f"below {end}"


def _by_size(column: str, value: NDArray[np.int64], among: NDArray[np.bool_]) -> list[Slice]:
    """Quarters of the users ``among`` all, cut at values that occur."""
    if not among.any():
        return []
    parts = []
    for low, high in spans(value[among]):
        name = f"{low}" if low == high else f"{low} to {high}"
        parts.append(Slice(TITLES[column], name, among & (value >= low) & (value <= high)))
    return parts


def steps_since_target(data: SequenceDataModule) -> pl.DataFrame:
    """How many interactions ago each test user last had the target: ``user`` and ``steps_since``, null for never.

    Args:
        data: prepared. Times are not kept with histories, so that recency is counted in interactions: 1 is the newest.
    """
    windows, items = data.splits["test"], data.sequences.items.numpy()
    start, stop = data.sequences.offsets[windows.user].numpy(), windows.stop.numpy()
    target = np.zeros(data.sequences.num_users, items.dtype)
    target[windows.user.numpy()] = items[stop]
    place = np.flatnonzero(items == np.repeat(target, data.sequences.lengths.numpy()))
    window = np.searchsorted(start, place, side="right") - 1
    before = (window >= 0) & (place < stop[window])
    last = np.full(len(stop), -1)
    np.maximum.at(last, window[before], place[before])
    steps = pl.Series(STEPS, stop - last).set(pl.Series(last < 0), None)
    return pl.DataFrame({"user": data.sequences.user_ids.gather(pl.Series(windows.user.numpy())), STEPS: steps})


def with_columns(users: Sequence[pl.DataFrame], more: pl.DataFrame | None = None) -> pl.DataFrame:
    """What several tables of the same users in the same order know of them, but for their ranks.

    Args:
        users: of the runs.
        more: a further table with all of these users by ``user``, in any order.

    Raises:
        ValueError: it is not about the same users.
    """
    known = users[0].select([])
    tables = [*users, *([] if more is None else [_aligned(more, users)])]
    for table in tables:
        new = [name for name in table.columns if name not in ("rank", *known.columns)]
        known = known.hstack(table.select(new)) if known.width else table.select(new)
    return known


def _aligned(more: pl.DataFrame, users: Sequence[pl.DataFrame]) -> pl.DataFrame:
    table = more.sort("user")
    names = next((one["user"] for one in users if "user" in one.columns), None)
    if len(table) != len(users[0]) or not (names is None or names.equals(table["user"])):
        raise ValueError("the data set has other test users than the runs")
    return table

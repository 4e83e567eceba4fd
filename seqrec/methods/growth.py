"""A model's weights for a catalogue that has grown: old rows as they were, new ones between them and the mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seqrec.functional.new_rows import new_biases, new_rows

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Sizes:
    """Numbers of items and users that a model knows."""

    items: int
    users: int


@dataclass(frozen=True)
class Part:
    """Which rows of a table stand for items or users.

    Attributes:
        users: for users; else for items.
        first: row of the first of them; before it stand padding or an unknown user.
        count: how many.
        last: rows behind them, of the mask.
    """

    users: bool
    first: int
    count: int
    last: int

    @property
    def rows(self) -> slice:
        """The rows themselves."""
        return slice(self.first, self.first + self.count)


@dataclass(frozen=True)
class Start:
    """From what the new rows start, see :func:`~seqrec.functional.new_rows.new_rows`.

    Attributes:
        items, users: weights over the old ones.
        counts: training interactions of all items, old and new.
    """

    items: Sequence[Sequence[Tensor]]
    users: Sequence[Sequence[Tensor]]
    counts: Tensor


def table_part(name: str, rows: int, sizes: Sizes) -> Part | None:
    """The part of a weight whose rows stand for items or users; None of one that has nothing to do with them.

    Tables of users have ``user`` in their names, and may begin with a row for unknown ones. Those of items may begin
    with padding, and then end with the mask.

    Args:
        name: in the state of the model.
        rows: its first dimension.
        sizes: of the model's catalogue.
    """
    if "user" in name:
        more = rows - sizes.users
        return Part(True, more, sizes.users, 0) if more in (0, 1) else None
    more = rows - sizes.items
    return Part(False, min(more, 1), sizes.items, max(more - 1, 0)) if more in (0, 1, 2) else None


def tables(state: State, fresh: State, old: Sizes) -> dict[str, Part]:
    """The weights of a model that grow, and their parts.

    Args:
        state: of the old model.
        fresh: of the same model for the grown catalogue.
        old: sizes of the old one.

    Raises:
        ValueError: the weights differ in something else than items and users.
    """
    found = {}
    for name in sorted(state.keys() | fresh.keys()):
        there, here = state.get(name), fresh.get(name)
        if there is None or here is None:
            raise ValueError(f"{name} is {'missing' if there is None else 'too much'} in the stored weights")
        if there.shape == here.shape or not there.is_floating_point():
            continue
        part = table_part(name, len(there), old) if there.ndim else None
        if part is None or there.shape[1:] != here.shape[1:]:
            raise ValueError(
                f"{name} is {tuple(there.shape)} and would be {tuple(here.shape)}: its rows are neither the run's "
                f"{old.items} items nor its {old.users} users, so this model cannot be updated; train it anew"
            )
        found[name] = part
    return found


def grown_state(state: State, fresh: State, parts: Mapping[str, Part], start: Start) -> dict[str, Tensor]:
    """The weights of the grown model: all of the old ones, and new rows of its tables.

    Args:
        state: of the old model.
        fresh: of the same model for the grown catalogue, from which what is no weight (numbers of attributes) is taken.
        parts: of :func:`tables`.
        start: where the new rows start.
    """
    result = {}
    for name, value in state.items():
        if name in parts:
            new = _new(value[parts[name].rows], len(fresh[name]) - len(value), parts[name], start)
            stop = parts[name].rows.stop
            result[name] = torch.cat([value[:stop], new.to(value.dtype), value[stop:]])
        else:
            result[name] = value if value.shape == fresh[name].shape else fresh[name]
    return result


def _new(old: Tensor, count: int, part: Part, start: Start) -> Tensor:
    """New rows ``(N, ...)`` of a table, or of a vector of biases, behind the old ones."""
    if old.ndim == 1 and not part.users:
        return new_biases(old, start.counts[: len(old)], start.counts[len(old) :])
    ways = start.users if part.users else start.items
    return new_rows(old.flatten(1) if old.ndim > 1 else old[:, None], ways, count).reshape(count, *old.shape[1:])


def same_beside(one: State, parts: Mapping[str, Part], other: State, other_parts: Mapping[str, Part]) -> bool:
    """Whether two models differ in the rows of items and users alone; padding and mask count with the rest.

    Args:
        one, other: weights.
        parts, other_parts: of their tables.
    """
    if one.keys() != other.keys() or parts.keys() != other_parts.keys():
        return False
    pairs = [(_beside(one[name], parts.get(name)), _beside(other[name], other_parts.get(name))) for name in one]
    return all(torch.equal(mine, others) for pair in pairs for mine, others in zip(*pair, strict=True))


def _beside(value: Tensor, part: Part | None) -> tuple[Tensor, Tensor]:
    """What of a weight stands before and behind the rows of items or users; all of it where it has none."""
    return (value, value[:0]) if part is None else (value[: part.first], value[part.rows.stop :])

"""Splits: which interactions train, and which are the targets of validation and of test.

In all of them what trains is the oldest part of a user's history, possibly all of it or nothing; so it is one number a
user, :attr:`Sequences.trained <seqrec.data.sequences.Sequences.trained>`. A target is ranked after everything before
it, an earlier target too: several targets of a user are as many rankings, one after the other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from seqrec.data.errors import DataError
from seqrec.data.home import expanded
from seqrec.data.readers.files import known
from seqrec.data.readers.times import check_moment, moment
from seqrec.data.sequences import HELD_OUT, Sequences
from seqrec.data.windows import Windows, held_out

Target = Literal["first", "last", "all", "random"]
TARGETS: tuple[Target, ...] = ("first", "last", "all", "random")


class Divided(NamedTuple):
    """Histories that know what of them trains, and the windows whose targets validate and test."""

    sequences: Sequences
    val: Windows
    test: Windows


class Split(ABC):
    """How the interactions of a data set are divided.

    Attributes:
        key: what of an interaction it goes by, which the data set then keeps in ``Sequences.split_key``: its ``time``,
            the ``part`` (number of the file) that it is from, or None, neither.
        files: of a ready split, those of validation and test.
    """

    key: ClassVar[Literal["time", "part"] | None] = None
    files: Sequence[Path] = ()

    @abstractmethod
    def divide(self, sequences: Sequences) -> Divided:
        """Divide all histories.

        Raises:
            DataError: nothing is left to train on, to validate or to test.
        """

    @abstractmethod
    def __str__(self) -> str:
        """What a run's card says: everything that decides which interactions train, validate and test."""


class LeaveOneOut(Split):
    """The last interaction of each user tests, the one before validates, the rest trains.

    Users with fewer than three interactions train nothing and are not evaluated.
    """

    def divide(self, sequences: Sequences) -> Divided:
        """See :meth:`Split.divide`; who has nobody to evaluate is told before the training."""
        return Divided(sequences, held_out(sequences, from_end=HELD_OUT), held_out(sequences, from_end=1))

    def __str__(self) -> str:
        return "leave-one-out: last item tests, the one before validates, the rest trains"


class TimeCut(Split):
    """One date for all: what came before ``validation`` trains, what came from ``test`` on tests.

    Interactions of one moment are on the same side of a cut, so no target is as old as anything that trains.

    Args:
        validation, test: where the two periods begin, as an ISO date (UTC), as a number on the scale of the log's
            times, or, between 0 and 1, as the share of all interactions that lie before it.
        target: which of a user's interactions in a period, among those with a history, are its targets.
        known_users: only users with a training interaction are evaluated, which models that know users need.
        seed: of ``target=random``; not the run's, so that all runs have the same targets.

    Raises:
        DataError: an option means nothing.
    """

    key = "time"

    def __init__(
        self,
        validation: float | str = 0.8,
        test: float | str = 0.9,
        target: Target = "last",
        known_users: bool = False,
        seed: int = 0,
    ) -> None:
        for name, at in (("validation", validation), ("test", test)):
            check_moment(f"data.split.{name}", at)
        self.validation, self.test = validation, test
        self.target, self.known_users, self.seed = known("data.split.target", target, TARGETS), known_users, seed

    def divide(self, sequences: Sequences) -> Divided:
        """See :meth:`Split.divide`."""
        time = _key(sequences, "time")
        first, second = (_cut(name, at, time) for name, at in (("validation", self.validation), ("test", self.test)))
        if first >= second:
            raise DataError(
                f"data.split.validation={self.validation} and data.split.test={self.test}: at least one moment of the "
                "log must lie between both, which validates; move them apart"
            )
        trained = _count(sequences, time < first)
        evaluated = [(time >= first) & (time < second), time >= second]
        if self.known_users:
            evaluated = [part & (trained > 0)[sequences.owner] for part in evaluated]
        return _divided(sequences, trained, evaluated, self.target, self.seed, self)

    def __str__(self) -> str:
        of = ", of users with training interactions" if self.known_users else ""
        return (
            f"time: what came before {self.validation} trains, from there to {self.test} validates, the rest tests; "
            f"targets: {_words(self.target, self.seed)} of each user in the period that have a history{of}"
        )


class UnseenUsers(Split):
    """Some users validate, some test, all others train with their whole histories.

    Args:
        validation, test: how many users, as a share of those with two interactions at least, or as a number.
        target: which of a user's interactions, from the second one on, are its targets.
        seed: of the draw of the users and of ``target=random``; not the run's, so that all runs have the same ones.

    Raises:
        DataError: an option means nothing.
    """

    def __init__(self, validation: float = 0.1, test: float = 0.1, target: Target = "last", seed: int = 0) -> None:
        for name, size in (("validation", validation), ("test", test)):
            if isinstance(size, bool) or not (0 < size < 1 or (size >= 1 and size == int(size))):
                raise DataError(f"data.split.{name}={size}: give a share of the users above 0 and below 1, or a number")
        self.validation, self.test = validation, test
        self.target, self.seed = known("data.split.target", target, TARGETS), seed

    def divide(self, sequences: Sequences) -> Divided:
        """See :meth:`Split.divide`."""
        able = torch.nonzero(sequences.lengths > 1).flatten()
        sizes = [int(size) if size >= 1 else round(size * len(able)) for size in (self.validation, self.test)]
        if sum(sizes) > len(able) or sum(sizes) >= sequences.num_users:
            raise DataError(
                f"data.split.validation={self.validation} and data.split.test={self.test}: of {sequences.num_users} "
                f"users {len(able)} have the two interactions that an evaluated one needs, and some must train; lower "
                "them"
            )
        drawn = able[torch.randperm(len(able), generator=_generator(self.seed, 2))]
        role = torch.zeros(sequences.num_users, dtype=torch.int64)
        for number, users in enumerate(drawn[: sum(sizes)].split(sizes), start=1):
            role[users] = number
        trained = torch.where(role == 0, sequences.lengths, 0)
        of_user = role[sequences.owner]
        return _divided(sequences, trained, [of_user == 1, of_user == 2], self.target, self.seed, self)

    def __str__(self) -> str:
        return (
            f"users: {self.validation} validate and {self.test} test, drawn with seed {self.seed}, the others train; "
            f"targets: {_words(self.target, self.seed)} of each user that have a history"
        )


class ReadySplit(Split):
    """A split that files bring along: ``data.path`` trains, two further files of the same form validate and test.

    Args:
        validation, test: the files, or folders or names with ``*`` as ``data.path``.
        target: which of a user's interactions in a file, among those with a history, are its targets.
        seed: of ``target=random``.

    Raises:
        DataError: a path or an option means nothing.
    """

    key = "part"

    def __init__(self, validation: str, test: str, target: Target = "all", seed: int = 0) -> None:
        self.files = [expanded(validation, "data.split.validation"), expanded(test, "data.split.test")]
        self.target, self.seed = known("data.split.target", target, TARGETS), seed

    def divide(self, sequences: Sequences) -> Divided:
        """See :meth:`Split.divide`.

        Raises:
            DataError: as there; or a target is older than something of its user that comes before it in the split.
        """
        part, owner = _key(sequences, "part"), sequences.owner
        back = torch.nonzero((part[1:] < part[:-1]) & (owner[1:] == owner[:-1])).flatten()
        if len(back):
            user, names = sequences.user_ids[int(owner[back[0]])], ("the training file", *map(str, self.files))
            before, after = (names[int(part[back[0] + place])] for place in (0, 1))
            raise DataError(
                f"split=files: user {user} has an interaction in {before} that is older than one in {after}, so the "
                "future would be known; leave such rows out, or set data.columns.time=null if the order of the files "
                "counts"
            )
        parts = [part == 1, part == 2]
        return _divided(sequences, _count(sequences, part == 0), parts, self.target, self.seed, self)

    def __str__(self) -> str:
        return (
            "files: one trains, one validates, one tests; "
            f"targets: {_words(self.target, self.seed)} of each user in the file that have a history"
        )


LEAVE_ONE_OUT = LeaveOneOut()


def _divided(
    sequences: Sequences, trained: Tensor, parts: Sequence[Tensor], target: str, seed: int, split: Split
) -> Divided:
    """The targets among the interactions of both parts, each ``(nnz,)`` bool."""
    if not trained.any():
        raise DataError(f"no interaction trains; the split is {split}")
    whole = replace(sequences, trained=trained)
    windows = []
    for number, (name, inside) in enumerate(zip(("validation", "test"), parts, strict=True)):
        place = torch.nonzero(inside).flatten()
        user = whole.owner[place]
        behind = place > whole.offsets[user]
        place, user = place[behind], user[behind]
        chosen = _chosen(user, target, _generator(seed, number))
        place, user = place[chosen], user[chosen]
        if not len(place):
            raise DataError(f"{name} has no target, as no interaction there has a history; the split is {split}")
        windows.append(Windows(whole, user, whole.offsets[user], place, all_positions=True))
    return Divided(whole, *windows)


def _chosen(user: Tensor, target: str, generator: torch.Generator) -> Tensor:
    """Which of interactions ``(n,)``, sorted by user and time, are targets: their places, ascending."""
    _, count = torch.unique_consecutive(user, return_counts=True)
    first = count.cumsum(0) - count
    if target == "first":
        return first
    if target == "last":
        return first + count - 1
    if target == "random":
        return first + (torch.rand(len(count), generator=generator, dtype=torch.float64) * count).long()
    return torch.arange(len(user))


def _words(target: str, seed: int) -> str:
    """The choice of targets for a card."""
    return {"first": "the first", "last": "the last", "all": "all", "random": f"a random one (seed {seed})"}[target]


def _count(sequences: Sequences, inside: Tensor) -> Tensor:
    """How many of some interactions ``(nnz,)`` bool each user has, ``(U,)``."""
    return torch.bincount(sequences.owner[inside], minlength=sequences.num_users)


def _key(sequences: Sequences, what: str) -> Tensor:
    if sequences.split_key is None:
        raise DataError(
            f"this data set does not know the {what} of its interactions, by which they are to be split; a data set of "
            "your own keeps it with to_sequences(..., keep=self.split.key)"
        )
    return sequences.split_key


def _cut(name: str, at: float | str, time: Tensor) -> float:
    """The moment from which on interactions are behind a cut, whole for whole times: float32 would round them."""
    if not isinstance(at, str) and 0 < at < 1:
        return time.sort().values[int(at * len(time))].item()
    least, most = time.min().item(), time.max().item()
    cut = moment(at, most)
    if not least < cut <= most:
        raise DataError(
            f"data.split.{name}={at}: nothing lies {'before' if cut <= least else 'behind'} it, as the times of the "
            f"log are from {least:.0f} to {most:.0f}; choose a moment between"
        )
    return cut if time.is_floating_point() else ceil(cut)


def _generator(seed: int, use: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed * 3 + use)

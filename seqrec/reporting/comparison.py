"""Methods compared with one another: what differs by more than chance, overall and within groups of users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from seqrec.functional.intervals import Interval, user_mean
from seqrec.metrics import of_users
from seqrec.reporting.significance import Estimate, OverUsers, Values, bootstrap, estimate, holm, over_users
from seqrec.runs.comparable import Method
from seqrec.runs.slicing import Slice

Ranks = Mapping[str, NDArray[np.float64]]
"""Ranks ``(S, U)`` of each method."""


@dataclass(frozen=True)
class Choices:
    """How methods are compared.

    Attributes:
        metrics: names; slices and the order of the table go by the first.
        baseline: method that each other one is compared with; None: all pairs.
        level: of the intervals, such as 0.95.
        replicates: of the bootstrap.
        seed: of the bootstrap.
    """

    metrics: Sequence[str]
    baseline: str | None
    level: float
    replicates: int
    seed: int


@dataclass(frozen=True)
class Row:
    """Two methods in one metric, all users.

    Attributes:
        first, second: their names; differences are of the first less the second.
        metric: name.
        found: over users and seeds.
        bootstrapped: interval over users.
        users: tests over users.
    """

    first: str
    second: str
    metric: str
    found: Estimate
    bootstrapped: tuple[float, float]
    users: OverUsers


@dataclass(frozen=True)
class PartRow:
    """Two methods in one metric, the users of a slice; as :class:`Row`."""

    first: str
    second: str
    metric: str
    found: Estimate
    part: Slice


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        methods: value ``(S,)`` of each seed by metric, of each method.
        users: of each method, by metric, what users say of its mean over seeds.
        rows: one a pair and metric.
        adjusted: p values by Holm over all rows, of each row: of both kinds of variation, paired t, Wilcoxon.
        slices: one a pair and slice, in the first metric.
        choices: that were made.
    """

    methods: Mapping[str, Mapping[str, Sequence[float]]]
    users: Mapping[str, Mapping[str, Interval | None]]
    rows: Sequence[Row]
    adjusted: NDArray[np.float64]
    slices: Sequence[PartRow]
    choices: Choices

    def verdict(self, place: int) -> str:
        """Which of the two is ahead by more than chance, by the first of the adjusted p values."""
        row = self.rows[place]
        if self.adjusted[place, 0] > 1 - self.choices.level:
            return "open"
        return row.first if row.found.mean > 0 else row.second


def ranks_of(methods: Sequence[Method]) -> Ranks:
    """Ranks of each method by name, a row a seed."""
    return {one.name: np.stack([run.users["rank"].to_numpy() for run in one.runs]) for one in methods}


def compare(ranks: Ranks, choices: Choices, parts: Sequence[Slice] = ()) -> Comparison:
    """Compare methods pair by pair.

    Args:
        ranks: of the same users in the same order.
        choices: that are made.
        parts: groups of these users.

    Raises:
        ValueError: a choice is not possible.
    """
    pairs = _pairs(list(ranks), choices.baseline)
    _check(choices, next(iter(ranks.values())).shape[1])
    values = {metric: {name: _values(rank, metric) for name, rank in ranks.items()} for metric in choices.metrics}
    columns = [(metric, name) for metric in choices.metrics for name in ranks]
    means = np.stack([values[metric][name].mean(0) for metric, name in columns], axis=1)
    drawn = dict(zip(columns, bootstrap(means, choices.replicates, choices.seed).T, strict=True))
    ends = [(1 - choices.level) / 2, (1 + choices.level) / 2]
    rows = []
    for metric in choices.metrics:
        for first, second in pairs:
            one, other = values[metric][first], values[metric][second]
            low, high = np.quantile(drawn[metric, first] - drawn[metric, second], ends)
            tests = over_users(one.mean(0), other.mean(0))
            rows.append(Row(first, second, metric, estimate(one, other), (float(low), float(high)), tests))
    p_values = np.array([[row.found.p_value(), row.users.t, row.users.wilcoxon] for row in rows])
    metric = choices.metrics[0]
    within = [
        PartRow(first, second, metric, _estimate_of(values[metric][first], values[metric][second], part), part)
        for part in parts
        if part.users.sum() > 1
        for first, second in pairs
    ]
    reached = {name: {m: values[m][name].mean(1).tolist() for m in choices.metrics} for name in ranks}
    users = {n: {m: user_mean(values[m][n].mean(0)).interval(choices.level) for m in choices.metrics} for n in ranks}
    return Comparison(reached, users, rows, np.stack([holm(column) for column in p_values.T], axis=1), within, choices)


def _estimate_of(first: Values, second: Values, part: Slice) -> Estimate:
    return estimate(first[:, part.users], second[:, part.users])


def _values(rank: NDArray[np.float64], metric: str) -> Values:
    return of_users(torch.from_numpy(rank), metric).numpy()


def _pairs(names: Sequence[str], baseline: str | None) -> list[tuple[str, str]]:
    """All pairs, or each method with the baseline."""
    if baseline is None:
        return list(combinations(names, 2))
    if baseline not in names:
        raise ValueError(f"task.baseline={baseline} is none of the methods; choose one of {', '.join(names)}")
    return [(name, baseline) for name in names if name != baseline]


def _check(choices: Choices, users: int) -> None:
    if not 0.5 <= choices.level < 1:
        raise ValueError(f"task.level is {choices.level}; it must be at least 0.5 and below 1, such as 0.95")
    if choices.replicates < 100:
        raise ValueError(f"task.replicates is {choices.replicates}; an interval needs at least 100")
    if users < 2:
        raise ValueError(f"the runs have {users} evaluated users; an interval needs 2 at least")

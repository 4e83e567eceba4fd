"""The comparisons of a dashboard: the methods of a part, user by user, or why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seqrec.reporting.comparison import Choices, Comparison, compare, ranks_of
from seqrec.reporting.dashboard.collect import Group, Part
from seqrec.runs.comparable import Judged, Method, judged, refuse_different

ALL_PAIRS = 12  # methods, of which all pairs are compared; more are compared with the best of them on validation
LEVEL, REPLICATES = 0.95, 2000


@dataclass(frozen=True)
class Compared:
    """What is known of the differences of a part.

    Attributes:
        found: the comparison; None where no two methods can be compared.
        baseline: the method that all others are compared with; None: all pairs are.
        reasons: a line for each method that is not compared, by its name; under the empty name, of all of them.
    """

    found: Comparison | None
    baseline: str | None
    reasons: dict[str, str]


def compared(part: Part, seed: int) -> Compared:
    """Compare the methods of a part.

    Args:
        part: of finished runs.
        seed: of the bootstrap.
    """
    methods, reasons = [], {}
    for group in part.groups:
        try:
            methods.append(_method(group))
        except ValueError as error:
            reasons[group.name] = str(error)
    if len(methods) < 2:
        return Compared(None, None, reasons)
    baseline = None if len(methods) <= ALL_PAIRS else _best(methods)
    try:
        refuse_different([run for method in methods for run in method.runs])
        found = compare(ranks_of(methods), Choices(metrics(part), baseline, LEVEL, REPLICATES, seed))
    except ValueError as error:
        return Compared(None, None, {"": str(error), **reasons})
    return Compared(found, baseline, reasons)


def metrics(part: Part) -> list[str]:
    """NDCG and recall at the middle cutoff."""
    middle = sorted(part.card.cutoffs)[len(part.card.cutoffs) // 2]
    return [f"ndcg@{middle}", f"recall@{middle}"]


def _method(group: Group) -> Method:
    seeds = [entry.card.seed for entry in group.entries]
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"{group.name} has two runs with the same seed; leave one out to compare it")
    return Method(group.name, [judged(entry.folder) for entry in group.entries])


def _best(methods: Sequence[Method]) -> str:
    def validated(run: Judged) -> float:
        return float(run.run.metrics["val"].get(run.run.card.monitor, 0.0))

    return max(methods, key=lambda one: sum(map(validated, one.runs)) / len(one.runs)).name

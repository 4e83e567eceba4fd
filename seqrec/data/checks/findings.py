"""All checks of a log, and which of them found something."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from seqrec.data.checks import fenrec_table_d, numbers, published, shape, targets, times
from seqrec.data.checks.log import Figures, Log, filters
from seqrec.data.errors import DataError

CHECKS = {
    "published": "sizes that differ from the published ones",
    "duplicates": "rows that repeat an earlier one in all fields",
    "ties": "interactions with the time of another one of their user",
    "tied_targets": "test targets whose place among equal times is arbitrary",
    "future": "training interactions later than a test target, mean",
    "drift": "change of the items' shares between older and newer half, beyond chance",
    "repeats": "test targets that their user has had before",
    "unseen_targets": "test targets without a training interaction",
    "id_order": "ids of the file against popularity, time or place, |rank correlation|",
    "next_ids": "test targets among the ten ids after their history's largest, beyond chance",
    "model_numbers": "the same two of the numbers that models see, the larger",
}
"""What each value is: a share, where nothing else is said."""
NEED_TIMES = ("ties", "tied_targets", "future", "drift")


@dataclass(frozen=True)
class Finding:
    """One check.

    Attributes:
        name: of :data:`CHECKS`.
        value: what was found; None where the log does not tell.
        limit: above which it is a finding.
        verdict: ``fine``; ``warning`` or ``fault`` above the limit; ``needs times`` or ``not known`` without a value.
        detail: figures behind the value.
    """

    name: str
    value: float | None
    limit: float
    verdict: str
    detail: str = ""


def figures(log: Log, seed: int, max_length: int, known_as: str) -> Figures:
    """All figures of a log, as JSON.

    Args:
        log: as read.
        seed: that gives the items their numbers.
        max_length: newest items that a model sees.
        known_as: name under which sizes were published; those of another name are not compared.
    """
    time, dropped = log.time, log.sequences.dropped.get("duplicates", {}).get("rows", 0)
    timed: dict[str, Callable[..., Figures]] = {
        "ties": times.ties, "overlap": times.overlap, "drift": times.drift, "events": times.events,
    }  # fmt: skip
    found = published.sizes(log.sequences)
    return {
        "sizes": found,
        "filters": filters(log),
        "rows": {"duplicates": log.seen.duplicates, "dropped": dropped},
        "published": [row for one in published.PUBLISHED.get(known_as, ()) for row in published.compared(one, found)],
        **{name: None if time is None else check(log, time) for name, check in timed.items()},
        "repeats": targets.repeats(log),
        "unseen": targets.unseen(log),
        "ids": numbers.told(log, numbers.ids_of_the_file(log)),
        "numbers": {"seed": seed} | numbers.told(log, numbers.numbers_of_models(log, seed)),
        "lengths": shape.lengths(log, max_length),
        "popularity": shape.popularity(log),
        "interactions_per_item": fenrec_table_d.readings(log) if known_as in published.TABLE_D else None,
    }


def findings(found: Figures, limits: Mapping[str, float], faults: Sequence[str]) -> list[Finding]:
    """Each check with its verdict.

    Args:
        found: by :func:`figures`.
        limits: of each check.
        faults: checks beyond whose limit numbers cannot be relied on.

    Raises:
        DataError: a name that is no check, or a check without a limit.
    """
    for option, names in (("limits", limits), ("faults", faults)):
        unknown = sorted(set(names) - set(CHECKS))
        if unknown:
            raise DataError(f"task.{option}: {unknown[0]!r} is no check; choose of {', '.join(CHECKS)}")
    if missing := [name for name in CHECKS if name not in limits]:
        raise DataError(f"task.limits has no limit for {missing[0]}")
    values = _values(found)
    return [_judged(name, *values[name], limits[name], name in faults) for name in CHECKS]


def _judged(name: str, value: float | None, detail: str, limit: float, fault: bool) -> Finding:
    if value is None:
        return Finding(name, None, limit, "needs times" if name in NEED_TIMES else "not known", detail)
    return Finding(name, value, limit, "fine" if value <= limit else "fault" if fault else "warning", detail)


def _values(found: Figures) -> dict[str, tuple[float | None, str]]:
    """Value of each check, and the figures behind it in words."""
    rows, repeats, unseen = found["rows"], found["repeats"], found["unseen"]
    cells = found["published"]
    differ = [row["cell"] for row in cells if row["verdict"] == "differs"]
    kept = None if rows["duplicates"] is None else rows["duplicates"] - rows["dropped"]
    read = max(1, next(step["rows"] for step in found["filters"]))
    return {
        "published": (float(len(differ)) if cells else None, ", ".join(dict.fromkeys(differ))),
        "duplicates": (None if kept is None else kept / read, "" if kept is None else f"{kept:,} rows kept"),
        **_of_times(found),
        "repeats": (repeats["test"], f"{repeats['test_targets']:,} targets; {repeats['share']:.1%} of all rows"),
        "unseen_targets": (unseen["test"], f"{unseen['test_targets']:,} targets; {unseen['items']:,} items"),
        **_of_numbers(found),
    }


def _of_times(found: Figures) -> dict[str, tuple[float | None, str]]:
    ties, overlap, drift = found["ties"], found["overlap"], found["drift"]
    if ties is None:
        return dict.fromkeys(NEED_TIMES, (None, ""))
    return {
        "ties": (ties["share"], f"{ties['users']:.1%} of the users"),
        "tied_targets": (ties["test"], f"{ties['test_targets']:,} targets; {ties['validation']:.1%} in validation"),
        "future": (overlap["future"], f"{overlap['targets']:.1%} of the targets are older than a training interaction"),
        "drift": (max(0.0, drift["excess"]), f"{drift['new']:.1%} of the newest fifth are items not seen before"),
    }


def _of_numbers(found: Figures) -> dict[str, tuple[float | None, str]]:
    items, evaluated = int(found["sizes"]["items"]), _evaluated(found)
    ids, numbered = (numbers.beyond_chance(found[key], items, evaluated) for key in ("ids", "numbers"))
    told = found["ids"]
    parts = [f"{name} {told[name]:+.2f}" for name in ("popularity", "time", "file") if told[name] is not None]
    return {
        "id_order": (ids["order"], ", ".join(parts)),
        "next_ids": (ids["next"], f"{told['next']:.2%}, by chance {told['chance']:.2%}"),
        "model_numbers": (max(numbered.values()), f"seed {found['numbers']['seed']}"),
    }


def _evaluated(found: Figures) -> int:
    return int(next(step["rows"] for step in found["filters"] if step["step"] == "test targets"))

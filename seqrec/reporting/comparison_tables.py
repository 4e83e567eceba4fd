"""The tables of a comparison: methods, differences and slices for people, everything for programs."""

from __future__ import annotations

from seqrec.reporting.comparison import Comparison, PartRow, Row
from seqrec.reporting.table import USERS, Cell, Table, mean_cells, over_seeds_caption

SMALLEST = 1e-6  # p value that is shown; smaller ones say no more
UNTESTED = [None] * 8  # slices are looked at, not tested


def methods_table(found: Comparison) -> Table:
    """A row a method: its seeds, and of each metric the mean with its deviation over them and what users say."""
    metrics = found.choices.metrics
    rows: list[list[Cell]] = []
    for name, of in found.methods.items():
        cells = [cell for metric in metrics for cell in mean_cells(of[metric], found.users[name][metric])]
        rows.append([name, len(of[metrics[0]]), *cells])
    columns = [column for metric in metrics for column in (metric, USERS)]
    return Table(["method", "seeds", *columns], rows, over_seeds_caption(found.choices.level))


def differences_table(found: Comparison) -> Table:
    """A row a pair and metric, for people; p values are those of Holm."""
    level = f"{found.choices.level:.0%}"
    columns = ["difference", "metric", "mean", f"{level}, users", f"{level}, users and seeds", "relative"]
    rows: list[list[Cell]] = []
    for place, row in enumerate(found.rows):
        with_seeds = _interval(row.found.interval(found.choices.level)) if row.found.total_error is not None else None
        relative = f"{row.found.mean / row.found.second:+.1%}" if row.found.second else None
        p_values = [_p(value) for value in found.adjusted[place]]
        ends = [_interval(row.bootstrapped), with_seeds]
        numbers = [f"{row.found.mean:+.4f}", *ends, relative, f"{row.users.effect:+.3f}"]
        rows.append([f"{row.first} - {row.second}", row.metric, *numbers, *p_values, found.verdict(place)])
    return Table([*columns, "effect d", "p", "p t", "p Wilcoxon", "ahead"], rows)


def slices_table(found: Comparison) -> Table:
    """A row a slice and pair, for people."""
    columns = ["slice", "users", "difference", *(f"{found.choices.metrics[0]} of {which}" for which in ("1st", "2nd"))]
    rows: list[list[Cell]] = []
    for row in found.slices:
        ends = _interval(row.found.interval(found.choices.level))
        numbers: list[Cell] = [row.found.first, row.found.second, f"{row.found.mean:+.4f}", ends]
        rows.append([f"{row.part.by}: {row.part.name}", row.found.users, f"{row.first} - {row.second}", *numbers])
    return Table([*columns, "mean", f"{found.choices.level:.0%}"], rows)


def full_table(found: Comparison) -> Table:
    """All numbers of all rows and slices, for programs."""
    columns = ["first", "second", "metric", "slice_by", "slice", "users", "mean_first", "mean_second", "difference"]
    columns += ["error_users", "error_users_and_seeds", "freedom", "low", "high", "bootstrap_low", "bootstrap_high"]
    columns += ["p", "p_t", "p_wilcoxon", "holm_p", "holm_p_t", "holm_p_wilcoxon", "effect", "better", "worse"]
    level = found.choices.level
    rows: list[list[Cell]] = []
    for row, adjusted in zip(found.rows, found.adjusted.tolist(), strict=True):
        tests = row.users
        cells = [*_estimated(row, level, None, None), *row.bootstrapped, row.found.p_value(), tests.t, tests.wilcoxon]
        rows.append([*cells, *adjusted, tests.effect, tests.better, tests.worse])
    for one in found.slices:
        shown = _estimated(one, level, one.part.by, one.part.name)
        rows.append([*shown, None, None, one.found.p_value(), *UNTESTED])
    return Table(columns, rows)


def _estimated(row: Row | PartRow, level: float, by: str | None, name: str | None) -> list[Cell]:
    """The first columns of :func:`full_table`, which slices have too."""
    found = row.found
    means: list[Cell] = [found.users, found.first, found.second, found.mean]
    errors: list[Cell] = [found.error, found.total_error, found.freedom]
    return [row.first, row.second, row.metric, by, name, *means, *errors, *found.interval(level)]


def _interval(ends: tuple[float, float]) -> str:
    return f"{ends[0]:+.4f} to {ends[1]:+.4f}"


def _p(value: float) -> str:
    return f"<{SMALLEST:g}" if value < SMALLEST else f"{value:.2g}"

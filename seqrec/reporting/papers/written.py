"""A table with its runs for the terminal, pages, papers and programs."""

from __future__ import annotations

from collections.abc import Iterator

from seqrec.functional.intervals import Interval
from seqrec.reporting.papers.cells import BEST, SECOND, Cell, ranked, verdict
from seqrec.reporting.papers.look_up import Found
from seqrec.reporting.papers.published import Published
from seqrec.reporting.table import USERS, Table, over_seeds_caption
from seqrec.reporting.table import Cell as Value
from seqrec.runs.intervals import of_seeds

NAMES = {"recall": "Recall", "ndcg": "NDCG"}
LATEX = str.maketrans({character: f"\\{character}" for character in "&%_#$"})


class Written:
    """The forms of one table.

    Args:
        table: what is printed.
        found: its cells with their runs.
        tolerance: largest relative difference that passes; None where nothing is compared.
    """

    def __init__(self, table: Published, found: Found, tolerance: float | None) -> None:
        self.table, self.found, self.metrics, self.tolerance = table, found, table.shown, tolerance
        self.places = {
            (data, metric): ranked(cells, metric) for data, cells in found.cells.items() for metric in self.metrics
        }
        runs = {(cell.data, cell.row.name): list(cell.runs.values()) for cell in found.all() if cell.runs}
        self.intervals = {of: of_seeds(some) for of, some in runs.items()}

    def terminal(self) -> Table:
        """One line a value; what repeats is left out."""
        rows: list[list[Value]] = []
        for data, cells in self.found.cells.items():
            for cell in cells:
                shown: list[Value] = [cell.row.label + cell.marks, len(cell.runs)]
                for metric in self.metrics:
                    rows.append([data, *shown, *self._line(cell, metric)])
                    data, shown = "", ["", None]
        columns = ["data", "row", "seeds", "metric", "printed", "ours", USERS, "differs", "verdict"]
        return Table(columns, rows)

    def numbers(self) -> Table:
        """One line a value, with all digits."""
        columns = ["paper", "table", "data", "row", "metric", "printed", "printed_deviation", "ours", "deviation"]
        columns += ["low", "high", "difference", "relative", "tolerance", "verdict", "place", "seeds", "hours", "marks"]
        rows: list[list[Value]] = []
        for data, cell, metric in self._values():
            judged = verdict(cell, self.table, metric, self.tolerance)
            printed = [self.table.value(data, cell.row.name, metric), self.table.deviation(data, cell.row.name, metric)]
            against = [judged.difference, judged.relative] if judged else [None, None]
            place, at = self.places[data, metric].get(cell.row.name), self._interval(cell, metric)
            ends = [None, None] if at is None else [at.low, at.high]
            rows.append(
                [
                    self.table.paper, self.table.name, data, cell.row.name, metric, *printed,
                    cell.value(metric), cell.deviation(metric), *ends, *against, self.tolerance,
                    judged.words if judged else None, place, len(cell.runs), cell.hours, cell.marks,
                ]
            )  # fmt: skip
        return Table(columns, rows)

    def markdown(self) -> str:
        """A table for each data set and what its signs mean."""
        parts = [f"{self.table.title} ({self.table.source})\n"]
        for data, cells in self.found.cells.items():
            rows: list[list[Value]] = [
                [
                    cell.row.label + cell.marks,
                    len(cell.runs),
                    _hours(cell),
                    *(text for name in self.metrics for text in (self._page(cell, name), self._half(cell, name))),
                ]
                for cell in cells
            ]
            columns = [data, "seeds", "hours", *(text for name in self.metrics for text in (_title(name), USERS))]
            parts.append(Table(columns, rows).markdown())
        return "\n".join([*parts, self.legend() + "\n"])

    def latex(self) -> str:
        """One table with the rules of booktabs: ours, below it what is printed, in small type."""
        head = " & ".join(["data", "row", *map(_title, self.metrics)])
        lines = [f"\\begin{{tabular}}{{ll{'r' * len(self.metrics)}}}", "\\toprule", f"{head} \\\\"]
        for data, cells in self.found.cells.items():
            lines.append("\\midrule")
            for cell in cells:
                ours = [self._typeset(cell, metric) for metric in self.metrics]
                theirs = [self.table.value(data, cell.row.name, metric) for metric in self.metrics]
                marks = "".join({"†": "$^\\dagger$", "§": "$^\\S$", "‡": "$^\\ddagger$"}[mark] for mark in cell.marks)
                lines.append(
                    " & ".join([data.translate(LATEX), cell.row.label.translate(LATEX) + marks, *ours]) + " \\\\"
                )
                halves = [self._half(cell, metric) for metric in self.metrics]
                if any(halves):
                    small = [f"\\scriptsize $\\pm$ {half}" if half else "" for half in halves]
                    lines.append(" & ".join(["", "\\scriptsize users", *small]) + " \\\\")
                if any(theirs):
                    small = [f"\\scriptsize {value:.4f}" if value is not None else "" for value in theirs]
                    lines.append(" & ".join(["", "\\scriptsize printed", *small]) + " \\\\")
        return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"

    def legend(self) -> str:
        """What the signs of the table mean, those that it has."""
        cells = self.found.all()
        marks = {mark for cell in cells for mark in cell.marks}
        said = ["Means over seeds, on the test split.", over_seeds_caption()]
        if self.tolerance is not None:
            said.append(f"In brackets what is printed and how far ours is from it; ✗ more than {self.tolerance:.0%}.")
        if any(self.places.values()):
            said.append(
                "Bold: better than each other row, underlined: than each below it, by paired tests over users (5 %)."
            )
        if "†" in marks:
            said.append("†: no configuration is stored with the run, which is known by its command alone.")
        if "§" in marks:
            asked = [f"{cell.row.label} {' '.join(cell.other)}" for cell in cells if cell.other]
            said.append(f"§: its command asked for something else, so it is not judged ({'; '.join(asked)}).")
        if "‡" in marks:
            said.append("‡: the code was changed after the commit that the run names.")
        protocols = [cell.row.protocol for cell in cells]
        common = max(protocols, key=protocols.count)
        for cell in {cell.row.name: cell for cell in cells if cell.row.protocol != common}.values():
            said.append(f"{cell.row.label} is judged under protocol={cell.row.protocol}, the others under {common}.")
        return " ".join(said)

    def _values(self) -> Iterator[tuple[str, Cell, str]]:
        for data, cells in self.found.cells.items():
            for cell in cells:
                for metric in self.metrics:
                    yield data, cell, metric

    def _line(self, cell: Cell, metric: str) -> list[Value]:
        judged = verdict(cell, self.table, metric, self.tolerance)
        place = {BEST: " best", SECOND: " 2nd"}.get(self.places[cell.data, metric].get(cell.row.name, ""), "")
        ours = f"{_spread(cell, metric)}{place}" if cell.runs else ""
        differs = f"{judged.relative:+.1%}" if judged else ""
        printed = self.table.value(cell.data, cell.row.name, metric)
        return [metric, printed, ours, self._half(cell, metric), differs, judged.words if judged else ""]

    def _interval(self, cell: Cell, metric: str) -> Interval | None:
        return self.intervals.get((cell.data, cell.row.name), {}).get(metric)

    def _half(self, cell: Cell, metric: str) -> str:
        """Of the interval over users; empty where it is not known."""
        interval = self._interval(cell, metric)
        return "" if interval is None else f"{interval.half:.4f}"

    def _page(self, cell: Cell, metric: str) -> str:
        judged = verdict(cell, self.table, metric, self.tolerance)
        printed = self.table.value(cell.data, cell.row.name, metric)
        if cell.value(metric) is None:
            return "" if printed is None else f"– ({printed:.4f})"
        mark = {BEST: ("**", "**"), SECOND: ("<u>", "</u>")}.get(
            self.places[cell.data, metric].get(cell.row.name, ""), ("", "")
        )
        against = f" ({printed:.4f}, {judged.relative:+.1%})" if judged else ""
        wrong = " ✗" if judged and judged.words.startswith("fail") else ""
        return f"{mark[0]}{cell.value(metric):.4f}{mark[1]}{_deviation(cell, metric)}{against}{wrong}"

    def _typeset(self, cell: Cell, metric: str) -> str:
        value, deviation = cell.value(metric), cell.deviation(metric)
        if value is None:
            return "--"
        command = {BEST: "\\textbf", SECOND: "\\underline"}.get(
            self.places[cell.data, metric].get(cell.row.name, ""), ""
        )
        text = f"{command}{{{value:.4f}}}" if command else f"{value:.4f}"
        return text if deviation is None else f"{text} $\\pm$ {deviation:.4f}"


def _spread(cell: Cell, metric: str) -> str:
    value = cell.value(metric)
    return "" if value is None else f"{value:.4f}{_deviation(cell, metric)}"


def _deviation(cell: Cell, metric: str) -> str:
    deviation = cell.deviation(metric)
    return "" if deviation is None else f" ± {deviation:.4f}"


def _hours(cell: Cell) -> str | None:
    return None if cell.hours is None else f"{cell.hours:.2f}"


def _title(metric: str) -> str:
    name, at, cutoff = metric.partition("@")
    return f"{NAMES.get(name, name)}{at}{cutoff}"

"""The tables of ``docs/data-checks.md``, from figures that ``task=check_data`` wrote.

``python -m seqrec.reporting.data_page checks`` first keeps the figures of the folders in ``checks`` in
``docs/data-checks.json``; without a folder the tables are made of what is kept there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqrec.data.checks.fenrec_table_d import READINGS
from seqrec.data.checks.published import EASNREC, TABLE_D
from seqrec.reporting.data_check import JSON
from seqrec.reporting.pages import ROOT, write_part
from seqrec.reporting.table import Cell, Table
from seqrec.runs.files import read_json, replacing

PAGE, KEPT, MODULE = "docs/data-checks.md", "docs/data-checks.json", "seqrec.reporting.data_page"
NOT_KEPT = ("events",)  # what the tables do not need
SEQUENCES = {
    "beauty": "Beauty", "sports": "Sports", "toys": "Toys", "yelp": "Yelp", "ml1m": "ML-1M",
    "ml1m_by_movie": "ML-1M, ties by film", "ml100k": "ML-100K", "lastfm": "LastFM", "musical": "Musical Instruments",
}  # fmt: skip
LOGS = {
    "beauty_log": "Beauty", "sports_log": "Sports", "musical_log": "Musical Instruments", "yelp_log": "Yelp",
    "ml100k_log": "ML-100K", "ml1m_log": "ML-1M, users 1 to 2999",
}  # fmt: skip
Kept = Mapping[str, Mapping[str, Any]]


def tables(kept: Kept) -> dict[str, Table]:
    """Each table by the name of its part of the page."""
    return {
        "sizes": _table(kept, SEQUENCES, _sizes),
        "targets and ids": _table(kept, SEQUENCES, _targets),
        "times": _table(kept, LOGS, _times),
        "rows": _table(kept, LOGS, _rows),
        "findings": _table(kept, SEQUENCES | LOGS, _findings, keyed=True),
        "easnrec": _table_1(kept),
        "fenrec": _table_d(kept),
        "readings": _readings(kept),
    }


def _table(kept: Kept, names: Mapping[str, str], row: Any, keyed: bool = False) -> Table:
    """A row a data set of what ``row`` makes of its figures; ``keyed`` names them as the command did."""
    rows = {(f"`{name}`" if keyed else title): row(kept[name]) for name, title in names.items()}
    return Table(["data", *next(iter(rows.values()))], [[title, *cells.values()] for title, cells in rows.items()])


def _sizes(found: Mapping[str, Any]) -> dict[str, Cell]:
    sizes, lengths = found["sizes"], found["lengths"]
    quantiles = [f"{lengths['quantiles'][share]:,.0f}" for share in ("0", "0.5", "0.99", "1")]
    return {
        **{name: f"{sizes[name]:,}" for name in ("users", "items", "actions")},
        "a user": f"{sizes['actions a user']:.2f}",
        "an item": f"{sizes['actions an item']:.2f}",
        "shortest, median, 99 %, longest": " / ".join(quantiles),
        "L": lengths["max_length"],
        "longer": _percent(lengths["longer"]),
        "padding": _percent(lengths["padding"]),
        "Gini": f"{found['popularity']['gini']:.2f}",
    }


def _targets(found: Mapping[str, Any]) -> dict[str, Cell]:
    repeats, unseen, ids = found["repeats"], found["unseen"], found["ids"]
    return {
        "repeats": f"{repeats['rows']:,}",
        "seen targets": _share(repeats),
        "unseen targets": _share(unseen),
        "unseen items": f"{unseen['items']:,}",
        "ids and popularity": f"{ids['popularity']:+.2f}",
        "ids and place": f"{ids['file']:+.2f}",
        "next ten ids": _percent(ids["next"]),
        "by chance": f"{100 * ids['chance']:.2f} %",
    }


def _times(found: Mapping[str, Any]) -> dict[str, Cell]:
    ties, overlap, drift = found["ties"], found["overlap"], found["drift"]
    return {
        "ties": _percent(ties["share"]),
        "users with ties": _percent(ties["users"]),
        "tied test targets": f"{ties['test_targets']:,} ({_percent(ties['test'])})",
        "of validation": _percent(ties["validation"]),
        "future": _percent(overlap["future"]),
        "drift": _percent(drift["excess"]),
        "new items": _percent(drift["new"]),
        "ids and time": f"{found['ids']['time']:+.2f}",
    }


def _rows(found: Mapping[str, Any]) -> dict[str, Cell]:
    steps = {step["step"]: step for step in found["filters"]}
    left_out = [f"{name}: {step['left out']:,}" for name, step in steps.items() if step["left out"] is not None]
    return {
        "rows": f"{steps['read']['rows']:,}",
        "left out": ", ".join(left_out[1:]),
        "duplicates": found["rows"]["duplicates"],
        **{name: f"{steps[name]['rows']:,}" for name in ("training", "validation targets", "test targets")},
    }


def _findings(found: Mapping[str, Any]) -> dict[str, Cell]:
    def of(verdict: str) -> str:
        return ", ".join(one["name"] for one in found["findings"] if one["verdict"] == verdict)

    return {"faults": of("fault"), "warnings": of("warning")}


def _table_1(kept: Kept) -> Table:
    """EASNRec's Table 1 beside ours."""
    rows: list[Sequence[Cell]] = []
    for name in ("sports", "ml1m", "yelp"):
        cells = [row for row in kept[name]["published"] if row["source"] == EASNREC]
        rows += [[SEQUENCES[name], row["cell"], row["printed"], row["ours"], row["verdict"]] for row in cells]
    return Table(["data", "cell", "printed", "ours", "verdict"], rows)


def _table_d(kept: Kept) -> Table:
    """FENRec's Table D beside ours."""
    reading = next(iter(READINGS))
    rows = [
        [SEQUENCES[name], *(f"{printed} / {_four(ours)}" for printed, ours in zip(cells, own, strict=True))]
        for name, cells in TABLE_D.items()
        for own in (kept[name]["interactions_per_item"][reading],)
    ]
    return Table(["data, printed / ours", "below 8", "8 to 19", "20 and more"], rows)


def _readings(kept: Kept) -> Table:
    """What other readings of the same definition give on Beauty."""
    found = kept["beauty"]["interactions_per_item"]
    rows = [[name, *map(_four, values)] for name, values in found.items()]
    return Table(["reading", "below 8", "8 to 19", "20 and more"], [*rows, ["printed", *TABLE_D["beauty"]]])


def _four(value: float) -> str:
    return f"{value:.4f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _share(found: Mapping[str, Any]) -> str:
    return f"{found['test_targets']:,} ({_percent(found['test'])})" if found["test_targets"] else "0"


def keep(folder: Path, root: Path = ROOT) -> None:
    """Put the figures of all checks in ``folder`` into one file, a line each."""
    found = {path.parent.name: read_json(path) for path in sorted(folder.glob(f"*/{JSON}"))}
    lines = []
    for name, one in found.items():
        figures = {key: value for key, value in one.items() if key not in NOT_KEPT}
        lines.append(f"{json.dumps(name)}: {json.dumps(figures)}")
    with replacing(root / KEPT) as partial:
        partial.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main(words: Sequence[str], root: Path = ROOT) -> None:
    """Keep the figures of the folder that is named, if one is, and write the tables into the page."""
    if words:
        keep(Path(words[0]), root)
    for name, table in tables(read_json(root / KEPT)).items():
        write_part(root / PAGE, name, MODULE, table.markdown())


if __name__ == "__main__":
    main(sys.argv[1:])

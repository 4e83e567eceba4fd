"""Sizes of data sets as they were published, and whether a log has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from seqrec.data.sequences import Sequences


class Published(NamedTuple):
    """One column of a paper's table of data sets.

    Attributes:
        source: the paper and the table, or the files.
        cells: as printed, by what they count.
        padding: the counts that include the number 0 of padding, so that they are larger by one.
        doubts: why a printed cell cannot be that of the data; such a cell may differ.
    """

    source: str
    cells: Mapping[str, str]
    padding: Sequence[str] = ()
    doubts: Mapping[str, str] = {}


def _sizes(users: str, items: str, actions: str, a_user: str, an_item: str, sparsity: str) -> dict[str, str]:
    means = {"actions a user": a_user, "actions an item": an_item, "sparsity": sparsity}
    return {"users": users, "items": items, "actions": actions, **means}


EASNREC = "EASNRec, Table 1"
FENREC = "files released with FENRec; the paper prints no sizes"
_CUT = "of another cut of the reviews, with 68 more users, 35 more items and 828 more actions than the released files"

PUBLISHED: Mapping[str, Sequence[Published]] = {
    "beauty": [Published(FENREC, {"users": "22,363", "items": "12,101", "actions": "198,502"})],
    "toys": [Published(FENREC, {"users": "19,412", "items": "11,924", "actions": "167,597"})],
    "sports": [
        Published(EASNREC, _sizes("35,598", "18,357", "296,337", "8.3", "16.1", "99.95%")),
        Published(FENREC, {"users": "35,598", "items": "18,357", "actions": "296,337"}),
    ],
    "yelp": [
        Published(
            EASNREC,
            _sizes("30,499", "20,068", "317,182", "10.4", "15.8", "99.95%"),
            doubts={"users": _CUT, "items": _CUT, "actions": _CUT},
        ),
        Published(FENREC, {"users": "30,431", "items": "20,033", "actions": "316,354"}),
    ],
    "ml1m": [
        Published(
            EASNREC,
            _sizes("6,041", "3,471", "999,611", "165.5", "292.6", "95.15%"),
            padding=("users", "items"),
            doubts={
                "items": "contradicts the table's own 292.6 actions an item, which is 999,611 / 3,416 (of 3,471 items "
                "it would be 288.0); most likely 3,417, with the padding, and two digits exchanged",
                "sparsity": "95.1552 % of 6,040 users and 3,416 items, cut and not rounded; of 3,471 items it would be "
                "95.23 %",
            },
        )
    ],
}
"""By the name of the data set."""

TABLE_D: Mapping[str, Sequence[str]] = {
    "sports": ("45.8798", "48.4119", "48.1976"),
    "beauty": ("37.8374", "42.1797", "49.4946"),
    "toys": ("25.6032", "25.7388", "27.3176"),
    "yelp": ("34.4817", "32.8905", "30.1013"),
}
"""FENRec, Table D: interactions per item in sequences shorter than 8, shorter than 20, and others."""


def sizes(sequences: Sequences) -> dict[str, float]:
    """Of a data set, without padding; sparsity is a percentage."""
    users, items, actions = sequences.num_users, sequences.num_items, sequences.num_interactions
    return {
        "users": users,
        "items": items,
        "actions": actions,
        "actions a user": actions / users,
        "actions an item": actions / items,
        "sparsity": 100 * (1 - actions / (users * items)),
    }


def compared(published: Published, found: Mapping[str, float]) -> list[dict[str, str]]:
    """A row a cell: what is ``printed``, ``ours`` with as many digits, the ``verdict``, and ``why`` they may differ."""
    rows = []
    for name, printed in published.cells.items():
        value = found[name] + (name in published.padding)
        decimals = len(printed.rstrip("%").partition(".")[2])
        ours = f"{value:,.{decimals}f}" + "%" * printed.endswith("%")
        verdict = "same" if ours == printed else "doubtful" if name in published.doubts else "differs"
        if verdict == "same" and name in published.padding:
            verdict = "same, with padding"
        why = published.doubts.get(name, "") if verdict == "doubtful" else ""
        row = {"source": published.source, "cell": name, "printed": printed, "ours": ours, "verdict": verdict}
        rows.append(row | {"why": why})
    return rows

"""Which runs belong to the cells of a table."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seqrec.reporting.papers.asked import Asked
from seqrec.reporting.papers.cells import Cell
from seqrec.reporting.papers.measured import logs
from seqrec.reporting.papers.published import Row
from seqrec.runs.card import JUDGED, RunCard
from seqrec.runs.folder import CONFIG
from seqrec.runs.kept import COMMAND, Run, read_run

Belongs = Callable[[Sequence[str], Path], bool]
"""Whether the run in a folder was made with these arguments; seed and machine may be any."""

OF_PROTOCOL = ("protocol", "seen_items")
MACHINE = ("trainer=", "launcher=", "hydra.", "resume=")
"""How arguments begin that say where a run is made, not what."""


@dataclass(frozen=True)
class Found:
    """The cells of a table.

    Attributes:
        cells: by data set, in the order of the rows.
        left_out: a line for each run that was evaluated differently from the others of its data set.
    """

    cells: Mapping[str, Sequence[Cell]]
    left_out: Sequence[str]

    def all(self) -> list[Cell]:
        """Those of all data sets."""
        return [cell for cells in self.cells.values() for cell in cells]


def look_up(
    asked: Asked, finished: Mapping[Path, RunCard], belongs: Belongs, failed: Callable[[Row, str, int], str | None]
) -> Found:
    """Find the runs of all cells.

    A run that stores its configuration belongs to a cell where that is the cell's. One that stores none, as the compact
    ones in ``docs/runs``, is known by its command, which may have asked for more; it is taken where there is no other,
    and of several the one that asked for what is closest to the cell.

    Args:
        asked: the table.
        finished: cards of finished runs by folder, the newest first.
        belongs: compares configurations.
        failed: why the run of a row, data set and seed that was begun has no result; None where that is not known.
    """
    cells, notes = {}, []
    for data in asked.table.data:
        own = [_cell(asked, row, data, finished, belongs, failed) for row in asked.table.rows.values()]
        cells[data], told = _alike(own)
        notes += told
    return Found(cells, notes)


def _cell(
    asked: Asked,
    row: Row,
    data: str,
    finished: Mapping[Path, RunCard],
    belongs: Belongs,
    failed: Callable[[Row, str, int], str | None],
) -> Cell:
    name, arguments = asked.data_of(data), asked.arguments(row, data)
    candidates = [
        path
        for path, card in finished.items()
        if card.data["name"] == name
        and (card.protocol == row.protocol or asked.stand_in)  # whose settings are not those of the table's data sets
        and card.model in (None, row.model)
        and card.seed in asked.seeds
        and logs(path, asked.table.logged)
    ]
    stored = [path for path in candidates if (path / CONFIG).exists() and belongs(arguments, path)]
    runs = _one_a_seed(stored, finished)
    missing = [seed for seed in asked.seeds if seed not in {run.card.seed for run in runs.values()}]
    older, other = not runs and not asked.shared, set()
    if older:
        compact = {path: _words(path, finished[path]) for path in candidates if not (path / CONFIG).exists()}
        beyond = {
            path: _beyond(words, arguments) for path, words in compact.items() if _names(words, row, name, arguments)
        }
        runs = _one_a_seed(sorted(beyond, key=lambda path: len(beyond[path])), finished)
        other = {word for path in runs for word in beyond[path]}
    why = {seed: failed(row, data, seed) for seed in missing}
    return Cell(
        data=data,
        row=row,
        runs=runs,
        missing=missing,
        command=asked.command(row, data, missing),
        older=older and bool(runs),
        other=sorted(other),
        failed={seed: words for seed, words in why.items() if words},
    )


def _one_a_seed(paths: Iterable[Path], cards: Mapping[Path, RunCard]) -> dict[Path, Run]:
    """The first readable run of each seed, in the order of seeds."""
    found: dict[int, tuple[Path, Run]] = {}
    for path in paths:
        if cards[path].seed not in found:
            try:
                found[cards[path].seed] = (path, read_run(path))
            except ValueError:  # its results are of another configuration, or half of them are gone
                continue
    return dict(found[seed] for seed in sorted(found))


def _words(path: Path, card: RunCard) -> set[str]:
    """The arguments of the command that made a run; none where it is not stored."""
    file = path / COMMAND
    command = card.command or (file.read_text(encoding="utf-8") if file.exists() else "")
    return {word for word in shlex.split(command) if "=" in word}


def _names(words: set[str], row: Row, data: str, arguments: Sequence[str]) -> bool:
    """Whether a command names a row: its model, data and parts, and no part of another row or other paper."""
    asked = {word for word in row.arguments if not word.startswith("model=")}
    parts = {word for word in words if word.startswith(("+", "model/")) and not word.startswith("+trainer.")}
    papers = {word for word in words if word.startswith("paper=")}
    return {f"model={row.model}", f"data={data}", *asked} <= words and parts <= asked and papers <= set(arguments)


def _beyond(words: set[str], arguments: Sequence[str]) -> set[str]:
    """What a command asked for that is not the cell's, and what of the cell's it did not ask for."""
    more = {word for word in words - set(arguments) if not word.startswith(("seed=", "protocol=", *MACHINE))}
    return more | {f"without {word}" for word in set(arguments) - words}


def _alike(cells: Sequence[Cell]) -> tuple[list[Cell], list[str]]:
    """Cells of a data set without runs that were evaluated differently from the first, and a line for each of those."""
    known = [(cell.older, cell.row.protocol, run.card) for cell in cells for run in cell.runs.values()]
    if not known:
        return list(cells), []
    _, protocol, first = min(known, key=lambda one: one[0])
    result, notes = [], []
    for cell in cells:
        fields = JUDGED if cell.row.protocol == protocol else tuple(set(JUDGED) - set(OF_PROTOCOL))
        other = {path: first.differences(run.card, fields) for path, run in cell.runs.items()}
        notes += [
            f"{path} is left out, as it was evaluated differently: {', '.join(at)}" for path, at in other.items() if at
        ]
        result.append(replace(cell, runs={path: run for path, run in cell.runs.items() if not other[path]}))
    return result, notes

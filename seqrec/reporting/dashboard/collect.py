"""Runs for a dashboard, read from folders: by method, and by what their numbers mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqrec.runs.card import RunCard
from seqrec.runs.comparable import arguments_of, method_key, method_names, model_of
from seqrec.runs.failure import FAILED
from seqrec.runs.files import changed, read_json
from seqrec.runs.folder import CARD, FIRST_STAGE, LOG, METRICS, ORIGIN
from seqrec.runs.kept import Run, read_log
from seqrec.runs.lock import is_locked
from seqrec.runs.sweep import state
from seqrec.serving.bundle import CARD as BUNDLE

NEEDED = {"val", "test", "epochs", "best_epoch", "seconds"}
"""Of what ``metrics.json`` holds."""

OF_TABLE = ("model", "data", "seed")
"""Arguments that have columns of their own."""


@dataclass(frozen=True)
class Entry:
    """A run, finished or not.

    Attributes:
        folder: of the run.
        model: name.
        data: name of the data set.
        seed: of the run; None where it is not known.
        arguments: in which it may differ from others: without model, data, seed, machine and log.
        run: as it was read; None unless it is finished.
        status: ``finished``, ``running``, ``stopped``, or ``failed: `` and why.
        log: one row an epoch.
        bundles: bytes of each bundle that was made of it, by its quantisation.
    """

    folder: Path
    model: str
    data: str
    seed: int | None
    arguments: Mapping[str, str]
    run: Run | None
    status: str
    log: Sequence[Mapping[str, float]]
    bundles: Mapping[str, int]

    @property
    def card(self) -> RunCard:
        """That of a finished run."""
        assert self.run is not None
        return self.run.card


@dataclass(frozen=True)
class Group:
    """Runs of one method, which differ in their seeds alone, or one unfinished run.

    Attributes:
        name: by which it differs from the others of its part.
        entries: in the order of their seeds.
    """

    name: str
    entries: Sequence[Entry]


@dataclass(frozen=True)
class Part:
    """Finished runs whose numbers mean the same, as their cards say.

    Attributes:
        card: of the first of them.
        groups: methods in the order of their names.
    """

    card: RunCard
    groups: Sequence[Group]


@dataclass(frozen=True)
class Collected:
    """All runs.

    Attributes:
        parts: of the finished ones.
        unfinished: the others, each by itself.
    """

    parts: Sequence[Part]
    unfinished: Sequence[Group]


def collect(folders: Sequence[Path]) -> Collected:
    """The runs in or below folders.

    Args:
        folders: of runs, of sweeps, or of many; below them bundles are looked for too.

    Raises:
        ValueError: a folder is not there or holds neither runs nor bundles.
    """
    if not folders:
        raise ValueError("task.runs names no folder; give run folders, or folders of them such as multirun/<time>")
    bundles = list(_bundles(folders))
    places = {path.resolve(): path for folder in folders for path in _places(folder, bundles)}
    entries = [_entry(path, bundles) for path in sorted(places.values())]
    if not entries:
        raise ValueError(f"task.runs: {', '.join(map(str, folders))} hold bundles alone; give the folders of runs too")
    parts: list[tuple[RunCard, list[Entry]]] = []
    for entry in (one for one in entries if one.run is not None):
        same = next((members for card, members in parts if not card.differences(entry.card)), None)
        if same is None:
            parts.append((entry.card, [entry]))
        else:
            same.append(entry)
    parts.sort(key=lambda part: (str(part[0].data["name"]), part[0].protocol))
    unfinished = [Group(one.model, [one]) for one in entries if one.run is None]
    return Collected([Part(card, _groups(members)) for card, members in parts], unfinished)


def is_sweep(folder: Path) -> bool:
    """Whether jobs of a sweep lie in a folder."""
    return any(path.name.isdigit() and next(_runs_below(path, deep=False), None) for path in folder.glob("*"))


def _places(folder: Path, bundles: Sequence[tuple[Path, Any, str, int]]) -> list[Path]:
    found = sorted(set(_runs_below(folder)))
    if not found and not any(path.is_relative_to(folder) for path, *_ in bundles):
        raise ValueError(
            f"task.runs: {folder} holds no run; give run folders, or folders of them such as multirun/<time>"
        )
    return found


def _runs_below(folder: Path, deep: bool = True) -> Iterator[Path]:
    """Folders of runs, finished or not; first stages inside a run are none."""
    for name in (METRICS, FAILED, ORIGIN):
        for path in folder.rglob(name) if deep else folder.glob(name):
            if path.parent.name != FIRST_STAGE and (name != METRICS or (path.parent / CARD).exists()):
                yield path.parent


def _bundles(folders: Sequence[Path]) -> Iterator[tuple[Path, Any, str, int]]:
    """Folder, card of the run, quantisation and bytes of each bundle."""
    for path in sorted({path for folder in folders for path in folder.rglob(BUNDLE)}):
        card = read_json(path)
        size = path.stat().st_size + sum(int(file["bytes"]) for file in card.get("files", {}).values())
        yield path.parent, card.get("card"), str(card.get("quant", "none")), size


def _entry(folder: Path, bundles: Sequence[tuple[Path, Any, str, int]]) -> Entry:
    asked, run, status = state(folder)
    if run is not None and not run.metrics.keys() >= NEEDED:
        run, status = None, f"failed: {changed(folder / METRICS)}"
    if run is None:
        running = status == "stopped" and is_locked(folder)
        log = _log(folder)
        model, data, seed = (asked.get(key, "") for key in OF_TABLE)
        rest = {key: value for key, value in asked.items() if key not in OF_TABLE}
        number = int(seed) if seed.isdigit() else None
        return Entry(folder, model, data, number, rest, None, "running" if running else status, log, {})
    rest = {key: value for key, value in arguments_of(run).items() if key not in OF_TABLE}
    made = read_json(folder / CARD) if bundles else None
    own = {quant: size for _, card, quant, size in bundles if card is not None and card == made}
    data = str(run.card.data["name"])
    return Entry(folder, model_of(run), data, run.card.seed, rest, run, status, run.log, own)


def _log(folder: Path) -> list[dict[str, float]]:
    """That of an unfinished run, as far as it can be read."""
    try:
        return read_log(folder / LOG) if (folder / LOG).exists() else []
    except ValueError:
        return []


def _groups(entries: Sequence[Entry]) -> list[Group]:
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(method_key(_finished(entry)), []).append(entry)
    members = [sorted(group, key=lambda one: one.card.seed) for group in groups.values()]
    try:
        names = method_names([_finished(group[0]) for group in members])
    except ValueError:  # asked for alike, but their configurations differ
        names = [f"{group[0].model} {group[0].folder}" for group in members]
    return [Group(*pair) for pair in sorted(zip(names, members, strict=True), key=lambda pair: pair[0])]


def _finished(entry: Entry) -> Run:
    assert entry.run is not None
    return entry.run

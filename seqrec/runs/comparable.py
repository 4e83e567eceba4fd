"""Runs that are compared: read from their folders, refused where their numbers mean different things, by method."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from seqrec.runs.card import RunCard
from seqrec.runs.configuration import CHANGEABLE, configuration_hash
from seqrec.runs.files import changed
from seqrec.runs.folder import CARD, CONFIG, PER_USER, RANKS
from seqrec.runs.found import run_folders
from seqrec.runs.kept import Run, read_run
from seqrec.runs.sweep import values

MACHINE = ("trainer", "trainer.accelerator", "trainer.devices", "trainer.num_nodes", "launcher", "sweep", "seed")
"""Arguments that make no other method, besides those of :data:`CHANGEABLE` that are about the machine or the log."""
BUDGET = ("trainer", "patience", "patience_steps")  # may change in a resumed run, but make another method
TELLING = ("data.name", "data.sha256")  # named before other fields of the data, which follow from them
LONGEST = 40  # of a value that a message shows


@dataclass(frozen=True)
class Judged:
    """A finished run with the ranks of its users.

    Attributes:
        run: as it was read.
        users: a line an evaluated user, in the order of their names: ``rank``, and what else the folder tells.
    """

    run: Run
    users: pl.DataFrame

    @property
    def folder(self) -> Path:
        """Of the run."""
        return self.run.folder


@dataclass(frozen=True)
class Method:
    """Runs that differ in their seeds alone.

    Attributes:
        name: by which it differs from the others.
        runs: in the order of their seeds.
    """

    name: str
    runs: Sequence[Judged]


def methods(folders: Sequence[Path] | Mapping[str, Sequence[Path]]) -> list[Method]:
    """Read runs, and put together those that differ in nothing but their seeds.

    Args:
        folders: of runs, or folders that hold runs, such as that of a sweep; a mapping says itself what belongs
            together under which name.

    Raises:
        ValueError: a folder holds no finished run with ranks, two runs cannot be compared, or a run is there twice.
    """
    empty = [name for name, paths in folders.items() if not paths] if isinstance(folders, Mapping) else []
    if not folders or empty:
        raise ValueError(f"task.runs{f'.{empty[0]}' if empty else ''} names no run; give run folders")
    if isinstance(folders, Mapping):
        found = {name: [judged(path) for path in _runs(paths)] for name, paths in folders.items()}
        grouped = [Method(name, runs) for name, runs in found.items()]
    else:
        grouped = _grouped([judged(path) for path in _runs(folders)])
    refuse_different([run for method in grouped for run in method.runs])
    if len(grouped) < 2:
        raise ValueError(f"task.runs: {len(grouped[0].runs)} runs of one method; give runs of two methods at least")
    return grouped


def _runs(folders: Sequence[Path]) -> list[Path]:
    """The folders of runs, those that a folder holds in the order of their names."""
    found: list[Path] = []
    for folder in folders:
        below = [folder] if (folder / CARD).exists() else run_folders([folder])
        if not below:
            raise ValueError(f"{folder} holds no finished run; give run folders, or a folder of them")
        found += below
    twice = [path for place, path in enumerate(found) if path.resolve() in {other.resolve() for other in found[:place]}]
    if twice:
        raise ValueError(f"{twice[0]} is given twice; leave it out once")
    return found


def judged(folder: Path) -> Judged:
    """The finished run in ``folder`` with the ranks of its users.

    Raises:
        ValueError: it is none, its users have several targets, it has no ranks, or not those that its card counts.
    """
    run = read_run(folder)
    if run.card.evaluated_targets not in (None, run.card.evaluated_users):
        raise ValueError(
            f"{folder} has {run.card.evaluated_targets} targets of {run.card.evaluated_users} users, and the tests "
            "need one a user; train with data.split.target=last, first or random"
        )
    path = next((folder / name for name in (PER_USER, RANKS) if (folder / name).exists()), None)
    if path is None:
        raise ValueError(f"{folder} has no {PER_USER}, so its users cannot be compared; run it again: {run.command}")
    try:
        users = pl.read_parquet(path)
    except pl.exceptions.PolarsError:
        raise changed(path) from None
    if "rank" not in users.columns or len(users) != run.card.evaluated_users:
        raise changed(path)
    return Judged(run, users.sort("user") if "user" in users.columns else users)


def refuse_different(runs: Sequence[Judged]) -> None:
    """Refuse runs whose numbers mean different things.

    Raises:
        ValueError: which two, and the first field in which they differ, with its values.
    """
    first = runs[0]
    for other in runs[1:]:
        fields = sorted(first.run.card.differences(other.run.card), key=lambda name: name not in TELLING)
        if not fields:
            known = set(first.users.columns) & set(other.users.columns)
            fields = [
                f"{name}s"
                for name in ("user", "target")
                if name in known and not first.users[name].equals(other.users[name])
            ]
        if fields:
            shown = [_shown(one.run.card, fields[0]) for one in (first, other)]
            values = f" ({shown[0]} and {shown[1]})" if shown[0] != shown[1] else ""
            more = f", and {', '.join(fields[1:])}" if fields[1:] else ""
            raise ValueError(
                f"{first.folder} and {other.folder} cannot be compared, as they differ in {fields[0]}{values}{more}; "
                "give runs that were judged alike"
            )


def _shown(card: RunCard, field: str) -> str:
    """A value of a card, cut where it is long; empty for what the card does not hold."""
    name, _, key = field.partition(".")
    text = str(card.data.get(key, "none") if key else getattr(card, name, ""))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _grouped(runs: Sequence[Judged]) -> list[Method]:
    """Methods in the order of their first runs, named by their models and by what else tells them apart."""
    groups: dict[str, list[Judged]] = {}
    for one in runs:
        groups.setdefault(method_key(one.run), []).append(one)
    for members in groups.values():
        seeds: dict[int, Judged] = {}
        for one in members:
            other = seeds.setdefault(one.run.card.seed, one)
            if other is not one:
                raise ValueError(
                    f"{other.folder} and {one.folder} are the same method with the same seed; leave one out, or name "
                    "what they stand for: task.runs={one:[...],other:[...]}"
                )
    named = method_names([members[0].run for members in groups.values()])
    ordered = [sorted(members, key=lambda one: one.run.card.seed) for members in groups.values()]
    return [Method(name, members) for name, members in zip(named, ordered, strict=True)]


def arguments_of(run: Run) -> dict[str, str]:
    """What the run was asked for, without its seed, its machine and its log."""
    ignored = [*MACHINE, *(key for key in CHANGEABLE if key not in BUDGET)]
    found = values(run.card.command or run.command)
    return {key: value for key, value in found.items() if not _is_below(key, ignored)}


def _is_below(key: str, ignored: Sequence[str]) -> bool:
    whole = ("logger", "callbacks", "task", "launcher", "sweep")
    return key in ignored or key.partition(".")[0].partition("/")[0] in whole


def method_key(run: Run) -> str:
    """The same for runs of one method."""
    config = run.folder / CONFIG
    stored = configuration_hash(config, seeds=False) if config.exists() else None
    return json.dumps([model_of(run), sorted(arguments_of(run).items()), stored])


def model_of(run: Run) -> str:
    """Name of the model; a card of version 0.1 has none, and the folder is called so."""
    return run.card.model or run.folder.name


def method_names(firsts: Sequence[Run]) -> list[str]:
    """The name of each method, by one of its runs; an argument of the command goes by its last word.

    Raises:
        ValueError: two of them were asked for alike.
    """
    named: dict[str, Run] = {}
    for one in firsts:
        rivals = [arguments_of(other) for other in firsts if model_of(other) == model_of(one)]
        own = arguments_of(one)
        keys = [key for key in own if key != "model" and len({rival.get(key) for rival in rivals}) > 1]
        name = " ".join([model_of(one), *(f"{key.replace('/', '.').rpartition('.')[2]}={own[key]}" for key in keys)])
        other = named.setdefault(name, one)
        if other is not one:
            raise ValueError(
                f"{other.folder} and {one.folder} were asked for alike, but their stored configurations differ; name "
                "what they stand for: task.runs={one:[...],other:[...]}"
            )
    return list(named)

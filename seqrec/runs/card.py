"""The card of a run: everything that defines its numbers, stored as ``protocol.json`` beside them."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import seqrec
from seqrec.metrics import Protocol
from seqrec.runs.files import read_json, write_json
from seqrec.runs.folder import BEST, CARD, LAST
from seqrec.runs.machine import Machine
from seqrec.runs.moved import PRESETS
from seqrec.runs.origin import Origin
from seqrec.runs.result import Result

if TYPE_CHECKING:  # a data module is Lightning's, which reading a run back does not need
    from seqrec.data.datamodule import SequenceDataModule

PACKAGES = ("torch", "pytorch-lightning", "torchmetrics", "hydra-core", "polars", "numpy")
JUDGED = ("protocol", "data", "split", "evaluated_users", "ranking", "tied_scores", "seen_items", "cutoffs")
"""Fields that decide what a number means. Two runs may stand in one table only where these are equal."""

UNSELECTED = "the last, not chosen by"


@dataclass(frozen=True)
class RunCard:
    """What was judged, how, with which weights, by which code.

    Attributes:
        protocol: name of the preset.
        data: name, SHA-256 of the histories, sizes and the options that made them.
        split: which items test, validate and train.
        evaluated_users: users with a test target.
        ranking: what each target is ranked among.
        tied_scores: where a target stands among items of the same score.
        seen_items: whether items of the user's history are ranked.
        targets_removed: targets that were removed with the seen items, each a miss.
        cutoffs: k of the metrics.
        seed: of the run.
        weights: the epoch that was tested, and why that one, from the checkpoint that was loaded.
        max_length: newest items of a history that the model sees.
        versions: of seqrec, Python and the libraries.
        model, command, settings, paper, paper_settings, git_commit: see :class:`~seqrec.runs.origin.Origin`.
        device, processes, threads, precision: see :class:`~seqrec.runs.machine.Machine`.
        dropped: rows, users and items that each step of the preparation left out.
        evaluated_targets: test targets, several of a user where the split has them.
        configuration: hash of the stored configuration, see :func:`~seqrec.runs.configuration.configuration_hash`.

        All from ``model`` on are None in cards of versions that did not store them.
    """

    protocol: str
    data: Mapping[str, Any]
    split: str
    evaluated_users: int
    ranking: str
    tied_scores: str
    seen_items: str
    targets_removed: int
    cutoffs: list[int]
    seed: int
    weights: str
    max_length: int
    versions: Mapping[str, str]
    git_commit: str | None
    model: str | None = None
    command: str | None = None
    settings: str | None = None
    paper: str | None = None
    paper_settings: str | None = None
    device: str | None = None
    processes: int | None = None
    threads: int | None = None
    precision: str | None = None
    dropped: Mapping[str, Mapping[str, int]] | None = None
    configuration: str | None = None
    evaluated_targets: int | None = None

    @classmethod
    def of(
        cls,
        data: SequenceDataModule,
        protocol: Protocol,
        result: Result,
        monitor: str,
        seed: int,
        origin: Origin,
        machine: Machine,
        configuration: str,
    ) -> RunCard:
        """The card of a run that gave ``result`` on ``data`` under ``protocol``.

        Args:
            data: prepared.
            protocol: of the ranking.
            result: of the run.
            monitor: validation metric that selected the weights.
            seed: of the run.
            origin: what was asked for.
            machine: that trained.
            configuration: hash of the stored one.
        """
        sequences = data.sequences
        return cls(
            protocol=protocol.name,
            data={
                "name": data.name,
                "sha256": sequences.digest(),
                "users": sequences.num_users,
                "items": sequences.num_items,
                "interactions": sequences.num_interactions,
                "padding_counted": False,
                "recipe": data.recipe(),
                "equal_timestamps": "order of the source file",
            }
            | ({} if sequences.trained is None else {"division_sha256": data.division_digest()}),
            split=str(data.split),
            evaluated_users=len(data.splits["test"].user[result.row].unique()),
            ranking="full: all items of the catalogue",
            tied_scores="half of the ties rank before the target",
            seen_items="removed; a removed target is a miss" if protocol.remove_seen else "stay in the ranking",
            targets_removed=int(torch.isinf(result.rank).sum()),
            cutoffs=list(protocol.cutoffs),
            seed=seed,
            weights=weights(result.best_epoch, result.epochs, monitor, result.selected),
            max_length=data.max_length,
            versions={"seqrec": seqrec.__version__, "python": platform.python_version()}
            | {name: version(name) for name in PACKAGES},
            **asdict(origin),
            **asdict(machine),
            dropped=data.dropped,
            configuration=configuration,
            evaluated_targets=len(result.row),
        )

    @classmethod
    def read(cls, path: Path) -> RunCard:
        """The card that a run folder holds; fields that this version does not know are left out.

        Raises:
            ValueError: it is no card, or one without a field that all versions store.
        """
        stored = read_json(path)
        names = [field.name for field in fields(cls) if field.name in stored]
        missing = [field.name for field in fields(cls) if field.default is MISSING and field.name not in stored]
        if missing:
            raise ValueError(f"{path}: a run's card has {', '.join(missing)} too; was it written by seqrec?")
        card = {name: stored[name] for name in names}
        return cls(**card | {"protocol": PRESETS.get(card["protocol"], card["protocol"])})

    @property
    def monitor(self) -> str:
        """The validation metric of the run, such as ``ndcg@10``."""
        return self.weights.rpartition("val/")[2]

    @property
    def dirty(self) -> bool:
        """Whether code that no commit holds had a part in the run."""
        return "-dirty" in (self.git_commit or "")

    def write(self, path: Path) -> None:
        """Write the card as JSON in one step."""
        write_json(path, asdict(self))

    def differences(self, other: RunCard, names: tuple[str, ...] = JUDGED) -> list[str]:
        """The fields in which two cards differ, ``data`` by its keys (``data.sha256``).

        Args:
            other: card to compare with.
            names: fields to look at; by default those that decide what a number means.
        """
        found = []
        for name in names:
            one, two = getattr(self, name), getattr(other, name)
            if name == "data":
                found += [f"data.{key}" for key in sorted(one.keys() | two.keys()) if one.get(key) != two.get(key)]
            elif one != two:
                found.append(name)
        return found


def refuse_mixed(cards: Mapping[str, RunCard]) -> None:
    """Refuse runs whose numbers may not stand in one table.

    Args:
        cards: by the name of the run.

    Raises:
        ValueError: two of them differ in a field of :data:`JUDGED`.
    """
    names = list(cards)
    for name in names[1:]:
        if fields := cards[names[0]].differences(cards[name]):
            raise ValueError(f"{names[0]} and {name} differ in {', '.join(fields)}; they may not stand in one table")


def weights(epoch: int, epochs: int, monitor: str, selected: bool) -> str:
    """Which weights a run took, in words.

    Args:
        epoch: whose weights they are, from 1.
        epochs: trained.
        monitor: validation metric of the run.
        selected: that metric chose them; else they are the last.
    """
    return f"epoch {epoch} of {epochs}, {'best' if selected else UNSELECTED} val/{monitor}"


def tested_weights(folder: Path) -> str:
    """The checkpoint of a finished run that was tested: the best unless its card says that it was the last."""
    card = folder / CARD
    last = card.is_file() and UNSELECTED in RunCard.read(card).weights
    return LAST if last else BEST

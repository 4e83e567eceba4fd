"""The finished run that is updated: its configuration, its weights, its numbers, and the histories it has learned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import torch
from omegaconf import DictConfig
from torch import Tensor

from seqrec.data.errors import DataError
from seqrec.data.sequences import Sequences
from seqrec.data.splits import LEAVE_ONE_OUT
from seqrec.data.store import read_entry
from seqrec.methods.checkpoint import read_checkpoint
from seqrec.methods.growth import Sizes
from seqrec.runs.card import RunCard, tested_weights
from seqrec.runs.catalog import USERS, Catalog, read_catalog, read_users
from seqrec.runs.folder import CARD, CONFIG, HISTORIES, METRICS, PER_USER
from seqrec.training.build import load_data
from seqrec.training.resume import read_stored

LOGS = ("new", "whole")


@dataclass(frozen=True)
class FinishedRun:
    """A run to update.

    Attributes:
        folder: of the run.
        config: stored, with references resolved.
        state: its tested weights.
        catalog: its items.
        card: what it was judged by.
    """

    folder: Path
    config: DictConfig
    state: dict[str, Tensor]
    catalog: Catalog
    card: RunCard

    @classmethod
    def of(cls, folder: Path, config: DictConfig) -> FinishedRun:
        """Read a run.

        Args:
            folder: of the run.
            config: as composed now, for what older versions did not store.

        Raises:
            ValueError: there is no finished run, one of an older version without its catalogue, or of
                another split than leave-one-out.
        """
        missing = [name for name in (CONFIG, CARD, METRICS) if not (folder / name).is_file()]
        if missing:
            raise ValueError(
                f"task.run={folder} holds no finished run ({', '.join(missing)} missing); give the folder of one, such "
                "as outputs/<model>-<data>-s<seed>/<time>"
            )
        card = RunCard.read(folder / CARD)
        if card.split != str(LEAVE_ONE_OUT):
            raise ValueError(
                f"task.run={folder}: its data were split by {card.split}; an update is judged by leave-one-out, so it "
                "needs a run of split=leave_one_out"
            )
        stored, catalog = read_stored(folder / CONFIG, config), read_catalog(folder)
        state = read_checkpoint(folder / tested_weights(folder))["state_dict"]
        return cls(folder, stored, state, catalog, card)

    @property
    def sizes(self) -> Sizes:
        """Items and users that the model knows."""
        return Sizes(self.config.catalog.num_items, self.config.catalog.num_users)

    def histories(self, log: str) -> Sequences:
        """What the run knows of each user, under its numbers; nothing but the users where the whole log is given anew.

        Args:
            log: one of :data:`LOGS`.

        Raises:
            ValueError: another word, or the histories cannot be read again.
        """
        if log not in LOGS:
            raise ValueError(f"task.log is {log!r}; choose {' or '.join(LOGS)}")
        if (self.folder / HISTORIES).is_dir():
            return read_entry(self.folder / HISTORIES)
        return self._users() if log == "whole" else self._read_again()

    def _read_again(self) -> Sequences:
        """The histories from the log that the run was trained on."""
        advice = "give the whole log, its old and its new rows, with task.log=whole"
        try:
            sequences = load_data(self.config.data).sequences
        except (DataError, OSError) as error:
            raise ValueError(f"{self.folder}: its own log cannot be read again ({error}); {advice}") from None
        ids = sequences.item_ids.cast(pl.String).equals(self.catalog.raw.cast(pl.String))
        if not ids or sequences.digest() != self.card.data["sha256"]:
            raise ValueError(f"{self.folder}: its own log has changed since it was trained; {advice}")
        return sequences

    def _users(self) -> Sequences:
        """The users of the run, whose histories the whole log holds."""
        known = read_users(self.folder).raw if (self.folder / USERS).is_file() else None
        users = pl.read_parquet(self.folder / PER_USER)["user"] if known is None else known
        return Sequences(
            items=torch.zeros(0, dtype=torch.int32),
            offsets=torch.zeros(len(users) + 1, dtype=torch.int64),
            user_ids=users,
            item_ids=self.catalog.raw,
            source_order=self.catalog.source_order,
        )

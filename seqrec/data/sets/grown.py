"""The histories of an updated run, which its own folder keeps under the numbers of its model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.home import expanded
from seqrec.data.sequences import Sequences
from seqrec.data.store import read_entry


class Grown(SequenceDataModule):
    """Histories that an update has written; items and users keep the numbers that they have there.

    Args:
        path: the folder ``histories`` of the run.
        log: how the log of the last update was read, from which the next one's is read if nothing else is said.
        **base: arguments of :class:`~seqrec.data.datamodule.SequenceDataModule`; ``seed`` draws no numbers here.
    """

    attribute_advice = "name the file of all items' attributes in data.attributes with task=update"

    def __init__(self, path: str, log: Mapping[str, Any], **base: Any) -> None:
        super().__init__(**base)
        self.path, self.log = expanded(path, "data.path"), dict(log)

    def source(self) -> Path:
        """The folder."""
        return self.path

    def read(self, source: Path) -> Sequences:
        """What :func:`~seqrec.data.store.write_entry` wrote there."""
        return read_entry(source)

    def recipe(self) -> dict[str, Any]:
        """How the last log was read; all else is in the histories, whose digest a card has."""
        return {"reader": "grown", "log": self.log}

    def setup(self, stage: str | None = None) -> None:
        """Load the histories as they are, and split them."""
        if hasattr(self, "sequences"):
            return
        self._divide(self.read(self.path))

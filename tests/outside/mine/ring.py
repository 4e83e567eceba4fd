"""Ring: users walk along a ring of items, one step at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import torch

from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.sequences import Sequences


class Ring(SequenceDataModule):
    """User ``u`` starts at item ``u`` and takes ``steps`` steps; after the last item comes the first.

    Args:
        num_users, num_items, steps: sizes.
        **base: arguments of :class:`~seqrec.data.datamodule.SequenceDataModule`.
    """

    def __init__(self, num_users: int, num_items: int, steps: int, **base: Any) -> None:
        super().__init__(**base)
        self.num_users, self.num_items, self.steps = num_users, num_items, steps

    def source(self) -> Path | None:
        """None: the data is computed."""
        return None

    def read(self, source: Path | None) -> Sequences:
        """All walks."""
        walks = (torch.arange(self.num_users)[:, None] + torch.arange(self.steps)) % self.num_items + 1
        return Sequences(
            items=walks.flatten().to(torch.int32),
            offsets=torch.arange(self.num_users + 1) * self.steps,
            user_ids=pl.Series("user", range(self.num_users)),
            item_ids=pl.Series("item", range(self.num_items)),
            source_order=torch.arange(1, self.num_items + 1),
        )

    def recipe(self) -> dict[str, Any]:
        """All options."""
        return {"num_users": self.num_users, "num_items": self.num_items, "steps": self.steps}

"""Which trial of a study a run is: the search names it in a variable of the run's process."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass

VARIABLE = "SEQREC_TRIAL"
ASKED = "asked"
"""Attribute of a study with the arguments that its trials share and the ranges of the others, by key."""

PRUNE = "hydra.sweeper.prune"
"""Among these, when a trial may be stopped early."""

SPACE = "space.json"
"""File in the folder of a search with what its trials share and the ranges of the others."""

PRUNED = "pruned"
"""Attribute of a trial that was stopped because others were better at the same epoch."""


@dataclass(frozen=True)
class TrialName:
    """A trial.

    Attributes:
        number: in its study.
        study: its name.
        storage: where the study is, as Optuna names it.
    """

    number: int
    study: str
    storage: str

    def __str__(self) -> str:
        return f"{self.number}@{self.study}@{self.storage}"

    @classmethod
    def of_this_run(cls) -> TrialName | None:
        """The trial that this process runs; None where it is none, or one that may not be stopped early."""
        words = os.environ.get(VARIABLE)
        if words is None:
            return None
        number, study, storage = words.split("@", 2)
        return cls(int(number), study, storage)


def quieten() -> None:
    """Leave out what Optuna and its database say of their parts: before its import, and once more after it."""
    for name in ("alembic", "optuna"):
        logging.getLogger(name).setLevel(logging.WARNING)

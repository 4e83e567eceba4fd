"""Small finished runs, and what their evaluation scored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from filelock import FileLock
from torch import Tensor

from seqrec.data.batch import Histories, RankedBatch
from seqrec.methods import ranker
from seqrec.methods.evaluation import rank_targets
from tests.integration.running import main_here, undrawn

SMALL = [
    "data=synthetic",
    "data.num_users=100",
    "data.num_items=50",
    "data.shortest=8",
    "data.longest=30",
    "data.max_length=20",
]
SHORT = ["trainer=cpu", "trainer.max_epochs=1"]
MODELS = sorted(path.stem for path in (Path(__file__).parents[2] / "conf" / "model").glob("*.yaml"))
FIRST_STAGES = {"mvs", "s3rec"}
KNOW_USERS = {"bpr", "caser"}


class Finished(NamedTuple):
    """A finished run.

    Attributes:
        folder: of the run.
        scored: what its test scored, batch by batch.
    """

    folder: Path
    scored: list[tuple[Histories, Tensor]]


Train = Callable[..., Finished]


@pytest.fixture(scope="session")
def train(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """``train(*overrides)``: a run of main.py on small synthetic data, of which nothing is left but its folder."""

    def run(*overrides: str) -> Finished:
        folder, cache = (tmp_path_factory.mktemp(name) for name in ("run", "cache"))
        scored: list[tuple[Histories, Tensor]] = []

        def noting(score: Any, batch: RankedBatch, *rest: Any) -> Tensor:
            def noted(histories: Histories) -> Tensor:
                scores: Tensor = score(histories)
                if score.__self__.trainer.testing:
                    scored.append((histories, scores.clone()))
                return scores

            return rank_targets(noted, batch, *rest)

        with pytest.MonkeyPatch.context() as patch, undrawn():
            patch.setattr(ranker, "rank_targets", noting)
            main_here(folder, *SMALL, *SHORT, f"data.cache_dir={cache}", f"hydra.run.dir={folder}", *overrides)
        for file in sorted(cache.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        return Finished(folder, scored)

    return run


@pytest.fixture(scope="session")
def finished(train: Train, shared: Path) -> dict[str, Finished]:
    """Runs by model, made when a test asks for them, once for all processes."""

    class Runs(dict[str, Finished]):
        def __missing__(self, name: str) -> Finished:
            first = ["warm_start.trainer.max_epochs=1"] if name in FIRST_STAGES else []
            stored = shared / f"run-of-{name}.pt"
            with FileLock(f"{stored}.lock"):
                if not stored.exists():
                    torch.save(tuple(train(f"model={name}", *first)), stored)
            self[name] = Finished(*torch.load(stored, weights_only=False))
            return self[name]

    return Runs()


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny models gain nothing from more."""
    torch.set_num_threads(1)

"""The card of a run says what happened, whatever was asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from seqrec import inference
from seqrec.runs.card import RunCard
from seqrec.runs.origin import Origin, git_commit
from tests.integration.comparison import curves, load, metrics
from tests.integration.running import Run

pytestmark = pytest.mark.usefixtures("undrawn")

TINY = ["data.num_users=40", "data.num_items=30", "data.batch_size=16"]


def card(folder: Path) -> RunCard:
    return RunCard.read(folder / "protocol.json")


def test_without_early_stopping_the_best_weights_are_tested(run: Run) -> None:
    folder = run(*TINY, "patience=null", "trainer.max_epochs=8", "model.optimizer.lr=0.05", "settings=none")
    values = [row["val/ndcg@10"] for row in curves(folder)]
    best = values.index(max(values)) + 1
    assert best < 8, "the seed must give a best epoch before the last"
    assert load(folder, "best")["epoch"] + 1 == metrics(folder)["best_epoch"] == best
    assert card(folder).weights == f"epoch {best} of 8, best val/ndcg@10"


def test_without_a_checkpoint_of_the_best_the_card_says_that_the_last_were_tested(run: Run) -> None:
    folder = run(*TINY, "callbacks.best=null", "callbacks.progress=null", "trainer.max_epochs=2")
    assert not (folder / "checkpoints" / "best.ckpt").exists()
    assert card(folder).weights == "epoch 2 of 2, the last, not chosen by val/ndcg@10"
    assert metrics(folder)["val"]["mrr"] > 0
    inference.load(folder)


def test_the_card_says_what_was_asked_for_and_what_trained(run: Run) -> None:
    folder = run(*TINY, "paper=fenrec", "trainer.max_epochs=1")
    found = card(folder)
    assert (found.model, found.settings, found.paper, found.paper_settings) == (
        "sasrec", "sasrec/synthetic", "fenrec", None,
    )  # fmt: skip
    assert found.command is not None
    assert found.command.startswith("python main.py ")
    assert "paper=fenrec" in found.command.split()
    assert (found.device, found.processes, found.threads, found.precision) == ("cpu", 1, 1, "32-true")
    assert found.dropped == {}
    # A resumed run is still that run, though Hydra now composes the defaults.
    resumed = card(run(f"resume={folder}", "trainer.max_epochs=2"))
    assert resumed.weights != found.weights or metrics(folder)["epochs"] == 2
    assert (resumed.model, resumed.command, resumed.settings) == (found.model, found.command, found.settings)


def test_the_card_names_all_code_that_trained(run: Run) -> None:
    folder = run(*TINY, "trainer.max_epochs=1")
    began = Origin.read(folder)
    assert card(folder).git_commit == began.git_commit == git_commit()
    replace(began, git_commit="a" * 40).write(folder)  # as if other code had begun the run
    run(f"resume={folder}", "trainer.max_epochs=2")
    both = card(folder).git_commit
    assert both == f"{'a' * 40}, {git_commit()}"
    run(f"resume={folder}", "trainer.max_epochs=3")
    assert card(folder).git_commit == both


def test_settings_that_do_not_exist_are_not_named(run: Run) -> None:
    """Hydra lists the choice of an optional file whether the file is there or not."""
    assert card(run("model=popularity", "data.num_users=20")).settings is None

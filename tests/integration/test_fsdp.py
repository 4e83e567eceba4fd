"""Two processes on the CPU that divide the weights: the results, weights and checkpoints of two that have copies."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch

from tests.integration.comparison import assert_same_results, assert_same_state, curves, load, metrics
from tests.integration.forked import Forked
from tests.integration.running import Run, folders
from tests.integration.test_ddp import finished

pytestmark = pytest.mark.usefixtures("undrawn")

TWO = ["trainer.accelerator=cpu", "trainer.devices=2", "data.num_users=61", "trainer.max_epochs=2"]
TWO += ["logger=csv", "callbacks.step_log.every_n_steps=1"]  # which looks at gradients
MODELS = {
    "sasrec": ["model=sasrec"],
    "fenrec": ["model=fenrec", "model.num_clusters=5", "model.pair_contrast.warmup_epochs=1"],
}
Trained = Callable[..., Path]
"""``trained(name, *choices)``: the folder of a run of two epochs on two processes, made once."""


@pytest.fixture(scope="module")
def trained(workplace: Path) -> Trained:
    @cache
    def train(name: str, *choices: str) -> Path:
        return finished(workplace, *TWO, *MODELS[name], *choices)

    return train


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["sasrec", pytest.param("fenrec", marks=pytest.mark.slow)])
def test_results_and_weights_are_those_of_ddp(name: str, trained: Trained) -> None:
    """To the last digit, and so are the moments in the checkpoint."""
    copied, divided = trained(name, "trainer=ddp"), trained(name, "trainer=fsdp")
    assert_same_results(copied, divided)
    assert_same_state(copied, divided)


@pytest.mark.thorough
def test_resumed_equals_unbroken(workplace: Path, trained: Trained) -> None:
    parts = finished(workplace, *TWO, *MODELS["sasrec"], "trainer=fsdp", "trainer.max_epochs=1")
    finished(workplace, f"resume={parts}", "trainer.max_epochs=2")
    whole = trained("sasrec", "trainer=fsdp")
    assert_same_state(whole, parts)
    assert_same_results(whole, parts)


@pytest.mark.slow
def test_three_processes_find_the_same_metrics(workplace: Path, trained: Trained, tmp_path: Path) -> None:
    """Resumed after its last epoch, a run only evaluates: here with its weights in three parts."""
    two = trained("sasrec", "trainer=fsdp")
    copy = shutil.copytree(two, tmp_path / "copy")
    for name in ("metrics.json", "per_user.parquet"):
        (copy / name).unlink()
    finished(workplace, f"resume={copy}", "trainer.devices=3")
    assert_same_results(two, copy)


@pytest.mark.thorough
def test_one_process_continues_the_run(trained: Trained, run: Run, tmp_path: Path) -> None:
    """The checkpoint is an ordinary one."""
    copy = tmp_path / "copy"
    shutil.copytree(trained("sasrec", "trainer=fsdp"), copy)
    before = load(copy)["global_step"]
    run(f"resume={copy}", "trainer=cpu", "trainer.max_epochs=3")
    assert metrics(copy)["epochs"] == 3
    assert load(copy)["global_step"] > before


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["sasrec", pytest.param("fenrec", marks=pytest.mark.slow)])
def test_a_table_that_no_process_has_whole_learns_the_same(name: str, trained: Trained) -> None:
    """Up to the order in which floats are added."""
    copied, divided = trained(name, "trainer=ddp"), trained(name, "trainer=fsdp", "model/table=sharded")
    for wanted, found in zip(curves(copied), curves(divided), strict=True):
        assert found == pytest.approx(wanted, rel=1e-4)
    assert metrics(divided)["test"] == pytest.approx(metrics(copied)["test"], rel=1e-3)
    tables = [load(folder)["state_dict"]["backbone.item_embedding.weight"] for folder in (copied, divided)]
    torch.testing.assert_close(tables[1], tables[0], rtol=0, atol=1e-3)


def test_a_model_that_would_not_learn_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """In one line, with status 2."""
    status, printed = Forked(tmp_path, "model=easnrec", "trainer=fsdp", *TWO).finish(timeout=120)
    assert status == 2, printed
    assert printed.startswith("error: trainer=fsdp: EASNRec steps its own optimizers"), printed
    assert len(printed.strip().splitlines()) == 1, printed
    assert not folders(tmp_path)

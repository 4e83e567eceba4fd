"""Two stages in one command: what they leave, and that stopping either of them changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from seqrec.training.callbacks.epoch_log import EpochLog
from tests.integration.comparison import assert_same_state, curves, differences, load, metrics
from tests.integration.running import Run, folders

pytestmark = pytest.mark.usefixtures("undrawn")

STAGES = [
    "model=s3rec",
    "data.num_users=60",
    "data.max_length=10",
    "trainer.max_epochs=2",
    "warm_start.trainer.max_epochs=2",
    "warm_start.model.optimizer.lr=0.01",
]


@pytest.fixture(scope="module")
def whole(run: Run) -> Path:
    """Both stages without a break."""
    return run(*STAGES)


def test_both_stages_are_in_the_run_folder(whole: Path) -> None:
    first = whole / "warm_start"
    assert metrics(whole)["warm_start"] == metrics(first)
    assert metrics(first)["epochs"] == metrics(first)["best_epoch"] == 2
    assert metrics(first)["val"] == {}, "nothing was validated"
    assert [row["epoch"] for row in curves(first)] == [1, 2]
    assert {"train/aap", "train/mip", "train/map", "train/sp"} <= set(curves(first)[0])
    stored = OmegaConf.load(first / "config.yaml")
    assert stored.model.backbone.dim == OmegaConf.load(whole / "config.yaml").model.backbone.dim == 16
    assert not stored.model.backbone.causal
    assert stored.warm_start is None


def test_the_second_stage_starts_from_the_weights_of_the_first(run: Run) -> None:
    folder = run(*STAGES, "model.optimizer.lr=0", "trainer.max_epochs=1")
    first, second = (load(part)["state_dict"] for part in (folder / "warm_start", folder))
    shared = {name for name in first if name.startswith("backbone.")}
    assert shared == set(second)
    assert not differences({name: first[name] for name in shared}, second)


@pytest.mark.parametrize("epoch", [1, 2], ids=["first stage", "between the stages"])
def test_stopped_and_resumed(
    run: Run, whole: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch, epoch: int
) -> None:
    before, starts = folders(workplace), []
    original = EpochLog.on_train_epoch_start

    def interrupted(log: EpochLog, *hook: object) -> None:
        starts.append(log)
        if len(starts) == epoch + 1:
            raise KeyboardInterrupt
        original(log, *hook)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(EpochLog, "on_train_epoch_start", interrupted)
        with pytest.raises(SystemExit):
            run(*STAGES)
    (folder,) = folders(workplace) - before
    assert not (folder / "metrics.json").exists()
    run("resume=auto", *STAGES) if epoch == 1 else run(f"resume={folder}")
    assert folders(workplace) - before == {folder}
    assert_same_state(whole, folder)
    assert_same_state(whole / "warm_start", folder / "warm_start", ("last",))
    assert metrics(whole)["test"] == metrics(folder)["test"]
    for stage in ("", "warm_start"):
        assert curves(whole / stage) == curves(folder / stage)


def test_what_does_not_fit_is_refused(run: Run) -> None:
    with pytest.raises(ValueError, match=r"warm_start.into is 'encoder'; NextItem has backbone"):
        run(*STAGES, "warm_start.into=encoder", "warm_start.trainer.max_epochs=1")
    with pytest.raises(ValueError, match=r"item_embedding.weight is \(152, 8\), but \(152, 16\)"):
        run(*STAGES, "warm_start.model.backbone.dim=8", "warm_start.trainer.max_epochs=1")

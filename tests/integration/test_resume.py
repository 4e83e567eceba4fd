"""A run that was stopped and resumed equals one that was not, bit for bit."""

from __future__ import annotations

import re
import shutil
import signal
import time
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tests.choice import thorough_but
from tests.integration.comparison import assert_same_results, assert_same_state, load, metrics
from tests.integration.forked import Forked
from tests.integration.running import Run, folders, main_here

pytestmark = pytest.mark.usefixtures("undrawn")

MODELS = [
    pytest.param(["model=sasrec"], id="sasrec"),
    pytest.param(
        ["model=easnrec", "model.adversarial=simultaneous"], id="easnrec-simultaneous", marks=pytest.mark.thorough
    ),
    pytest.param(
        ["model=easnrec", "model.adversarial=alternating", "model/similarity=split"], id="easnrec-alternating"
    ),
]
LONG = ["trainer.max_epochs=14", "data.num_users=250"]


@pytest.mark.parametrize("model", MODELS)
def test_resumed_equals_unbroken(run: Run, workplace: Path, model: list[str]) -> None:
    short = ["data.num_users=120"] if "model=easnrec" in model else []
    whole = run(*model, *short, "trainer.max_epochs=4")
    parts = run(*model, *short, "trainer.max_epochs=2")
    assert metrics(parts)["epochs"] == 2
    log = (parts / "log.csv").read_text().splitlines()
    assert run(f"resume={parts}", "trainer.max_epochs=4") == parts
    assert (parts / "log.csv").read_text().splitlines()[:3] == log, "epochs were not continued but repeated"
    assert OmegaConf.load(parts / "config.yaml").name == model[0].removeprefix("model=")
    assert_same_state(whole, parts)
    assert_same_results(whole, parts)


def test_a_run_that_stopped_early_and_was_killed_before_its_results_trains_no_more(run: Run) -> None:
    folder = run("trainer.max_epochs=40", "patience=1", "model.optimizer.lr=0.03")
    whole = Path(shutil.copytree(folder, folder.with_name("whole")))
    assert metrics(whole)["epochs"] < 40
    (folder / "metrics.json").unlink()
    run(f"resume={folder}")
    assert_same_state(whole, folder)
    assert_same_results(whole, folder)
    shutil.rmtree(whole)


def test_patience_in_steps_is_the_same_in_a_resumed_run(run: Run) -> None:
    """It learns too fast and is best early; an epoch is two steps."""
    fast = ["data.num_users=100", "patience=1", "patience_steps=5", "model.optimizer.lr=0.1"]
    whole = run(*fast, "trainer.max_epochs=40")
    assert metrics(whole)["epochs"] - metrics(whole)["best_epoch"] == 3
    parts = run(*fast, "trainer.max_epochs=2")
    run(f"resume={parts}", "trainer.max_epochs=40")
    assert_same_state(whole, parts)
    assert_same_results(whole, parts)
    run(f"resume={parts}", "patience_steps=9")
    assert metrics(parts)["epochs"] >= metrics(whole)["epochs"] + 2


FOUR_BATCHES = ["data.num_users=150", "data.batch_size=40", "trainer.max_epochs=3"]


@pytest.fixture(scope="module")
def twelve_steps(run: Run) -> Path:
    """Three epochs of four batches."""
    return run(*FOUR_BATCHES)


@pytest.mark.parametrize("budgets", thorough_but([[3], [7]], [[3], [7], [4, 6, 7]]), ids=str)
def test_an_epoch_that_a_budget_cut_is_validated_and_repeated(run: Run, twelve_steps: Path, budgets: list[int]) -> None:
    cut = run(*FOUR_BATCHES, f"trainer.max_steps={budgets[0]}")
    assert metrics(cut)["val"]["ndcg@10"] > 0
    for steps in [*budgets[1:], -1]:
        run(f"resume={cut}", f"trainer.max_steps={steps}")
    assert load(cut)["global_step"] == 12
    assert_same_state(twelve_steps, cut)
    assert_same_results(twelve_steps, cut)
    assert {path.name for path in (cut / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}


@pytest.fixture(scope="module")
def whole(run: Run) -> Path:
    """The run that nobody stops."""
    return run(*LONG)


def stopped(workplace: Path, sign: signal.Signals) -> tuple[Path, int, str]:
    """A run that gets a signal in the middle of its fourth epoch or soon after; its status and last lines too."""
    before = folders(workplace)
    process = Forked(workplace, *LONG)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        logs = [folder / "log.csv" for folder in folders(workplace) - before]
        if any(log.exists() and len(log.read_text().splitlines()) > 3 for log in logs):
            break
        time.sleep(0.01)
    process.send_signal(sign)
    status, errors = process.finish(timeout=300)
    (folder,) = folders(workplace) - before
    assert not (folder / "metrics.json").exists()
    assert 1 <= load(folder)["epoch"] < 13
    return folder, status, errors


@pytest.mark.parametrize(
    ("sign", "status", "moves"),
    [
        pytest.param(signal.SIGINT, 130, True, id="interrupt-and-elsewhere"),
        pytest.param(signal.SIGTERM, 143, False, id="terminate-and-as-advised", marks=pytest.mark.thorough),
    ],
)
def test_a_stopped_run_says_how_to_resume_it_and_is_resumed(
    run: Run, whole: Path, workplace: Path, tmp_path: Path, sign: signal.Signals, status: int, moves: bool
) -> None:
    folder, ended, errors = stopped(workplace, sign)
    assert ended == status, errors
    advice = re.search(r"python main\.py (resume=(\S+))", errors)
    assert advice, errors
    assert (workplace / advice[2]) == folder
    place = tmp_path / "elsewhere" if moves else folder
    log = (folder / "log.csv").read_text().splitlines()[:3]
    if moves:
        shutil.move(folder, place)
        run(f"resume={place}")
    else:
        main_here(workplace, advice[1])
    assert (place / "log.csv").read_text().splitlines()[:3] == log
    assert_same_state(whole, place)
    assert_same_results(whole, place)


def test_auto_finds_the_newest_run_that_was_killed(run: Run, whole: Path, workplace: Path) -> None:
    folder, ended, _ = stopped(workplace, signal.SIGKILL)
    assert ended != 0
    other = run("resume=auto", "seed=7", "trainer.max_epochs=1")
    assert metrics(other)["epochs"] == 1  # another seed had nothing to resume
    run("resume=auto", *LONG)
    assert_same_state(whole, folder)
    assert_same_results(whole, folder)


def test_auto_starts_anew_where_nothing_is_unfinished(run: Run, workplace: Path) -> None:
    folder = run("resume=auto", "seed=8", "trainer.max_epochs=1")
    assert metrics(folder)["epochs"] == 1
    assert run("resume=auto", "seed=8", "trainer.max_epochs=1") != folder


@pytest.mark.parametrize(
    "change",
    ["seed=1", "protocol=fenrec", "model=easnrec", "data=custom data.path=a.csv", "windows=prefixes",
     "model=sasrec model.backbone.dim=32", "data.num_users=9", "+ablation/easnrec=no_memory", "model.window=3"],
)  # fmt: skip
def test_another_run_is_refused(run: Run, whole: Path, change: str) -> None:
    with pytest.raises(ValueError, match="would make another run than the stored one"):
        run(f"resume={whole}", *change.split())


@pytest.mark.parametrize("place", ["nowhere", "empty"])
def test_a_folder_without_a_run_is_one_error(
    run: Run, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit) as end:
        run(f"resume={tmp_path / place}")
    assert end.value.code == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert str(tmp_path / place) in errors[0]
    assert not (tmp_path / place / "checkpoints").exists()

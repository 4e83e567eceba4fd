"""A run to which something happens and that is resumed equals the undisturbed one, and nothing is left of the accident.

What happens is drawn from ``--fault-seed`` (0): 5 points, or as many as ``--points`` says. All runs have their folder
for temporary files on another file system where there is one.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.comparison import (
    assert_nothing_left,
    assert_same_run,
    assert_same_state,
    assert_whole_files,
    curves,
    load,
    metrics,
)
from tests.integration.fault import Outcome, Request, server

MODELS = {
    "sasrec": ["model=sasrec"],
    "easnrec-alternating": ["model=easnrec", "model.adversarial=alternating", "model/similarity=split"],
    "s3rec": ["model=s3rec", "warm_start.trainer.max_epochs=2"],
    "fenrec": ["model=fenrec", "model.num_clusters=8"],
    "easnrec-simultaneous": ["model=easnrec", "model.adversarial=simultaneous"],
    "bert4rec": ["model=bert4rec"],
}
SMALL = [
    "trainer=cpu", "data.num_users=60", "data.batch_size=32", "data.cache_dir=cache", "trainer.max_epochs=3",
    "model.backbone.dim=16", "model.backbone.ffn_dim=32", "patience=50", "seed=11",
]  # fmt: skip
KINDS = ("killed at an event", "killed inside a write", "killed at a time", "full disk", "SIGTERM at a time")
KILLED = (-9, -25, -27)  # by SIGKILL, SIGXFSZ, SIGPROF: none of them is heard of by the program
HYDRA = {".hydra", "main.log"}

Ask = Callable[[Request], Outcome]


@dataclass(frozen=True)
class Point:
    """What happens, to which model, and where in the run (from 0 to 1)."""

    kind: str
    model: str
    where: float
    size: int

    def __str__(self) -> str:
        return f"{self.kind}, {self.model}, {self.where:.3f}"


def draw(seed: int, number: int) -> list[Point]:
    """Points of a seed: each five have all kinds and three models, each thirty all kinds with all models."""
    chance = random.Random(seed)
    models = chance.sample(list(MODELS), len(MODELS))
    pairs = [
        (kind, models[(place // 2 + turn) % len(models)])
        for turn in range(len(models))
        for place, kind in enumerate(KINDS)
    ]
    return [Point(*pairs[n % len(pairs)], chance.random(), chance.randrange(4000)) for n in range(number)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "point" in metafunc.fixturenames:
        points = draw(metafunc.config.getoption("--fault-seed"), metafunc.config.getoption("--points"))
        metafunc.parametrize("point", points, ids=str)


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """The process that runs main.py, accidents included."""
    with server() as asked:
        yield asked


@pytest.fixture(scope="module")
def temporary() -> Iterator[Path]:
    """A folder for temporary files, on another file system than the runs where there is one; empty in the end."""
    place = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        yield Path(folder)
        assert not list(Path(folder).iterdir())


@dataclass(frozen=True)
class Whole:
    """A run to which nothing happened."""

    folder: Path
    outcome: Outcome


@pytest.fixture(scope="module")
def undisturbed(ask: Ask, temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Whole]:
    """The undisturbed run of a model, made when it is first asked for."""
    made: dict[str, Whole] = {}

    def of(model: str) -> Whole:
        if model not in made:
            place = tmp_path_factory.mktemp(model)
            outcome = ask(Request(str(place), [*MODELS[model], *SMALL], str(temporary)))
            assert outcome.status == 0, outcome.output
            (folder,) = runs(place)
            assert_nothing_left(place)
            made[model] = Whole(folder, outcome)
        return made[model]

    return of


def test_what_happened_leaves_no_trace(
    ask: Ask, undisturbed: Callable[[str], Whole], temporary: Path, tmp_path: Path, point: Point
) -> None:
    whole = undisturbed(point.model)
    arguments = [*MODELS[point.model], *SMALL]
    event = 0 if "time" in point.kind else 1 + int(point.where * len(whole.outcome.events))
    seconds = point.where * whole.outcome.seconds if "time" in point.kind else 0.0
    fault = {"killed inside a write": "killed_inside_a_write", "full disk": "full"}.get(
        point.kind, "killed" if "killed" in point.kind else "terminated"
    )
    disturbed = ask(Request(str(tmp_path), arguments, str(temporary), fault, event, seconds=seconds, size=point.size))
    check_end(disturbed, point, tmp_path)
    if disturbed.status != 0:
        resumed = ask(Request(str(tmp_path), [*arguments, "resume=auto"], str(temporary)))
        assert resumed.status == 0, resumed.output
    folders = runs(tmp_path)
    folder = folders.pop()
    assert_same_run(whole.folder, folder)
    assert_nothing_left(tmp_path)
    # Killed before it had begun to be a run, it left what Hydra writes first.
    assert all({path.name for path in other.iterdir()} <= HYDRA for other in folders)


def check_end(outcome: Outcome, point: Point, place: Path) -> None:
    """The end of a run was that of its accident, in one line where the program could speak; all files are whole."""
    lines = outcome.output.splitlines()
    assert "Traceback" not in outcome.output, outcome.output
    if "killed" in point.kind:
        assert outcome.status in (*KILLED, 0), outcome.output
    elif point.kind == "full disk":
        errors = [line for line in lines if line.startswith("error: ")]
        assert (outcome.status, len(errors)) in ((2, 1), (0, 0)), outcome.output
        assert all("cannot be written" in error and "make room" in error for error in errors), errors
        assert_nothing_left(place)
    else:
        assert outcome.status in (143, -15, 0), outcome.output
        assert outcome.status != 143 or any(line.startswith("stopped") for line in lines), outcome.output
        if outcome.status == 143:
            assert_nothing_left(place)
    for folder in runs(place):
        assert_whole_files(folder)


def runs(place: Path) -> list[Path]:
    """Run folders, the oldest first."""
    return sorted(place.glob("outputs/*/*"), key=lambda folder: folder.name)


def test_a_finished_run_that_dies_while_it_is_trained_further_is_found_again(
    ask: Ask, undisturbed: Callable[[str], Whole], temporary: Path, tmp_path: Path
) -> None:
    whole = undisturbed("sasrec")
    arguments = [*MODELS["sasrec"], *SMALL]
    shorter = ["trainer.max_epochs=1" if word.startswith("trainer.max_epochs") else word for word in arguments]
    assert ask(Request(str(tmp_path), shorter, str(temporary))).status == 0
    (folder,) = runs(tmp_path)
    before = (folder / "config.yaml").read_bytes()
    more = [f"resume={folder}", "trainer.max_epochs=3", "data.cache_dir=cache"]
    refused = ask(Request(str(tmp_path), [*more, "trainer.accelerator=tpu"], str(temporary)))
    assert (refused.status, metrics(folder)["epochs"]) == (2, 1), refused.output
    assert (folder / "config.yaml").read_bytes() == before
    killed = ask(Request(str(tmp_path), more, str(temporary), "killed", 1, "log.csv.partial"))
    assert killed.status == -9, killed.output
    assert not (folder / "metrics.json").exists()
    assert ask(Request(str(tmp_path), [*arguments, "resume=auto"], str(temporary))).status == 0
    assert runs(tmp_path) == [folder]
    assert_same_run(whole.folder, folder)


def test_an_epoch_that_a_budget_cut_is_validated_and_repeated_also_without_the_best_weights(
    ask: Ask, undisturbed: Callable[[str], Whole], temporary: Path, tmp_path: Path
) -> None:
    whole = undisturbed("sasrec")  # two batches an epoch
    arguments = [*MODELS["sasrec"], *SMALL, "callbacks.best=null", "trainer.max_steps=3"]
    cut = ask(Request(str(tmp_path), arguments, str(temporary)))
    assert cut.status == 0, cut.output
    (folder,) = runs(tmp_path)
    assert [row["epoch"] for row in curves(folder) if row["val/ndcg@10"] > 0] == [1, 2]
    assert (metrics(folder)["epochs"], metrics(folder)["best_epoch"]) == (2, 2)
    more = [f"resume={folder}", "trainer.max_steps=-1"]
    assert ask(Request(str(tmp_path), [*more, "data.cache_dir=/dev/null/cache"], str(temporary))).status == 2
    assert (metrics(folder)["epochs"], load(folder)["global_step"]) == (2, 3)  # a refused resume takes nothing back
    resumed = ask(Request(str(tmp_path), [*more, "data.cache_dir=cache"], str(temporary)))
    assert resumed.status == 0, resumed.output
    assert_same_state(whole.folder, folder, ("last",))
    assert curves(folder) == curves(whole.folder)
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize(
    "words", [["hydra.run.dir=file/run"], ["-m", "hydra.sweep.dir=file/sweep"]], ids=["run", "sweep"]
)
def test_a_folder_that_cannot_be_made_is_one_line(ask: Ask, temporary: Path, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "file").touch()
    refused = ask(Request(str(tmp_path), [*words, *MODELS["sasrec"], *SMALL], str(temporary)))
    errors = [line for line in refused.output.splitlines() if line]
    assert refused.status == 2 and len(errors) == 1, refused.output
    assert (
        errors[0].startswith("error: ") and "file/" in errors[0] and "cannot be written: not a directory" in errors[0]
    )
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.thorough
def test_a_sweep_that_cannot_note_a_failed_job_ends_with_its_reason(ask: Ask, temporary: Path, tmp_path: Path) -> None:
    words = ["-m", *MODELS["sasrec"], *SMALL, "model.backbone.num_heads=7,1", "hydra.sweep.dir=sweep"]
    ended = ask(Request(str(tmp_path), words, str(temporary), "full", 1, "failed.txt.partial"))
    errors = [line for line in ended.output.splitlines() if line.startswith("error: ")]
    assert ended.status == 2 and len(errors) == 1 and "Traceback" not in ended.output, ended.output
    assert errors[0].startswith("error: job 0 (") and "which 7 heads do not divide" in errors[0]
    assert errors[0].endswith("the other jobs do not run, for nothing can be written")
    assert not list(tmp_path.rglob("failed.txt*"))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["sasrec", "s3rec"])
def test_a_disk_that_is_full_at_each_write_in_turn(
    ask: Ask, undisturbed: Callable[[str], Whole], temporary: Path, tmp_path: Path, model: str
) -> None:
    whole = undisturbed(model)
    for event in [place for place, writes in enumerate(whole.outcome.events, 1) if writes]:
        place = tmp_path / str(event)
        place.mkdir()
        point = Point("full disk", model, event / len(whole.outcome.events), 0)
        arguments = [*MODELS[model], *SMALL]
        full = ask(Request(str(place), arguments, str(temporary), "full", event))
        check_end(full, point, place)
        if full.status:
            resumed = ask(Request(str(place), [*arguments, "resume=auto"], str(temporary)))
            assert resumed.status == 0, resumed.output
        (folder,) = runs(place)
        assert_same_run(whole.folder, folder)
        assert_nothing_left(place)
        shutil.rmtree(place)

"""Two processes on the CPU: one set of results, exact, and the same as one process computes."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import polars as pl
import pytest
import torch

from tests.integration.comparison import assert_same_results, assert_same_state, curves, load, metrics
from tests.integration.forked import Forked
from tests.integration.running import Run, folders

pytestmark = pytest.mark.usefixtures("undrawn")

DDP = ["trainer=cpu", "trainer.devices=2", "trainer.strategy=ddp", "data.num_users=201"]


def finished(workplace: Path, *overrides: str) -> Path:
    """A run in two processes, of which the first starts the second."""
    before = folders(workplace)
    status, printed = Forked(workplace, *overrides).finish(timeout=300)
    assert status == 0, printed[-3000:]
    new = folders(workplace) - before
    resumed = [o.removeprefix("resume=") for o in overrides if o.startswith("resume=")]
    assert len(new) == (0 if resumed else 1), "each run has one folder, whatever the number of processes"
    return Path(resumed[0]) if resumed else new.pop()


@pytest.fixture(scope="module")
def folder(workplace: Path) -> Path:
    return finished(workplace, *DDP, "trainer.max_epochs=2")


def test_every_user_is_evaluated_once(folder: Path) -> None:
    table = pl.read_parquet(folder / "per_user.parquet")
    assert len(table) == table["user"].n_unique() == 201
    assert metrics(folder)["epochs"] == 2
    assert len(curves(folder)) == 2


def test_one_process_finds_the_same_metrics(folder: Path, run: Run, workplace: Path, tmp_path: Path) -> None:
    """Resumed after its last epoch, a run only evaluates: here on one process, from the same checkpoint."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    for name in ("metrics.json", "per_user.parquet"):
        (copy / name).unlink()
    run(f"resume={copy}", "trainer.devices=1", "trainer.strategy=auto")
    assert metrics(copy)["test"] == metrics(folder)["test"]
    assert metrics(copy)["val"] == metrics(folder)["val"]
    assert pl.read_parquet(copy / "per_user.parquet").equals(pl.read_parquet(folder / "per_user.parquet"))


LAUNCHERS = {
    "torchrun": {"WORLD_SIZE": "{size}", "RANK": "{rank}", "LOCAL_RANK": "{rank}", "TORCHELASTIC_RUN_ID": "one"},
    "srun": {
        "SLURM_NTASKS": "{size}", "SLURM_NTASKS_PER_NODE": "{size}", "SLURM_NNODES": "1", "SLURM_JOB_NAME": "one",
        "SLURM_PROCID": "{rank}", "SLURM_LOCALID": "{rank}", "SLURM_NODEID": "0", "SLURM_JOB_ID": "1",
    },
    "by hand on several machines": {"WORLD_SIZE": "{size}", "NODE_RANK": "{rank}"},
}  # fmt: skip
"""Variables that each process of a run finds; ``{rank}`` is its number of ``{size}``."""


def launch(workplace: Path, *commands: list[str], by: str = "torchrun") -> list[tuple[int, str]]:
    """Status and output of processes that a launcher starts: each by its command, a little apart."""
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = []
    for rank, command in enumerate(commands):
        own = {name: value.format(rank=rank, size=len(commands)) for name, value in LAUNCHERS[by].items()}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**group, **own}.items():
                patch.setenv(name, value)
            processes.append(Forked(workplace, *command))
    return [process.finish(timeout=300) for process in processes]


def launched(workplace: Path, *overrides: str) -> Path:
    """A run in two processes of one command."""
    before = folders(workplace)
    for status, printed in launch(workplace, list(overrides), list(overrides)):
        assert status == 0, printed[-3000:]
    (made,) = folders(workplace) - before
    return made


@pytest.fixture(scope="module")
def first_half(workplace: Path) -> Path:
    """The first epoch."""
    return launched(workplace, *DDP, "trainer.max_epochs=1")


@pytest.mark.thorough
def test_processes_that_a_launcher_starts_share_one_folder(first_half: Path) -> None:
    assert (first_half / "metrics.json").exists() and (first_half / "checkpoints" / "last.ckpt").exists()
    assert metrics(first_half)["epochs"] == 1


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("by", "size"), [("torchrun", 3), ("srun", 2), ("srun", 3), ("by hand on several machines", 2)]
)
def test_any_number_of_processes_of_any_launcher_finds_the_same_metrics(
    folder: Path, workplace: Path, tmp_path: Path, by: str, size: int
) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    for name in ("metrics.json", "per_user.parquet"):
        (copy / name).unlink()
    before = folders(workplace)
    apart = by.endswith("machines")
    command = [f"resume={copy}", f"trainer.devices={1 if apart else size}", f"trainer.num_nodes={size if apart else 1}"]
    for status, printed in launch(workplace, *[command] * size, by=by):
        assert status == 0, printed[-3000:]
    assert folders(workplace) == before
    assert_same_results(folder, copy)


@pytest.mark.thorough
def test_a_launcher_of_two_machines_makes_one_folder(workplace: Path) -> None:
    before = folders(workplace)
    command = [*DDP, "trainer.devices=1", "trainer.num_nodes=2", "trainer.max_epochs=1"]
    ends = launch(workplace, command, command, by="by hand on several machines")
    assert [status for status, _ in ends] == [0, 0], ends
    assert len(folders(workplace) - before) == 1


@pytest.mark.thorough
def test_processes_of_different_commands_are_refused(workplace: Path) -> None:
    before = folders(workplace)
    command = [*DDP, "trainer.max_epochs=1"]
    ends = launch(workplace, command, [*command, "model.optimizer.lr=0.5", "trainer.max_epochs=2"])
    assert [status for status, _ in ends] == [2, 2], ends
    assert (
        "error: process 1 of this run has another model.optimizer.lr, trainer.max_epochs than the first" in ends[0][1]
    )
    assert folders(workplace) == before


@pytest.mark.thorough
def test_resumed_equals_unbroken(folder: Path, first_half: Path, workplace: Path, tmp_path: Path) -> None:
    """Begun by a launcher and resumed by the strategy's own start of processes."""
    parts = shutil.copytree(first_half, tmp_path / "parts")
    finished(workplace, f"resume={parts}", "trainer.max_epochs=2")
    assert_same_state(folder, parts)
    assert_same_results(folder, parts)


def test_ranks_draw_their_own_noise(folder: Path) -> None:
    one, other = (state["torch"] for state in load(folder)["random_states"])
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    "choices",
    [
        ["model=easnrec", "trainer.strategy=ddp_find_unused_parameters_true"],
        pytest.param(
            [
                "model=easnrec",
                "model.adversarial=alternating",
                "model/similarity=split",
                "trainer.strategy=ddp_find_unused_parameters_true",
            ],
            marks=pytest.mark.thorough,
        ),
        pytest.param(["model=fenrec", "model.num_clusters=5"], marks=pytest.mark.thorough),
    ],
)
def test_weights_memories_and_clusters_are_the_same_on_both_ranks(
    choices: list[str], run: Run, workplace: Path
) -> None:
    """Each rank validates half of the users with its own copy; the stored copy is that of the first rank."""
    folder = launched(workplace, *DDP, *choices, "trainer.max_epochs=1")
    live = {name.removeprefix("val/"): value for name, value in curves(folder)[-1].items() if name.startswith("val/")}
    for name in ("metrics.json", "per_user.parquet"):
        (folder / name).unlink()
    run(f"resume={folder}", "trainer.devices=1", "trainer.strategy=auto")
    alone = metrics(folder)["val"]
    assert live == pytest.approx({name: alone[name] for name in live}, abs=1e-6)

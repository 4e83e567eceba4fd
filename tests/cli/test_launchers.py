"""What the launchers of a sweep can be asked for."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from omegaconf import OmegaConf

from seqrec.cli import tree
from seqrec.cli.overrides import check_configuration
from seqrec.cli.resolvers import gpus_of_job
from seqrec.cli.sweeps.allocation import check_allocation
from seqrec.cli.sweeps.launchers import missing
from tests.plugins import skip_without_plugin


def refused(words: str, multirun: bool = True) -> str:
    """Why a command line is refused."""
    with pytest.raises(ValueError) as caught:
        check_configuration(words.split(), multirun=multirun, targets=False)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("words", "reasons"),
    [
        ("launcher=joblib trainer.devices=2", ["trainer.devices=2: the jobs of joblib", "launcher=serial"]),
        ("launcher=joblib trainer=ddp", ["trainer.devices=auto: the jobs of joblib", "launcher=gpus"]),
        ("launcher=joblib trainer.devices=[0,1]", ["the jobs of joblib"]),
        ("launcher=slurm trainer=ddp", ["Slurm must know how many tasks", "trainer.devices=4"]),
        (
            "launcher=slurm trainer.devices=1,2",
            ["get the same number of devices", "with trainer.devices=2)"],
        ),
        ("hydra/launcher=submitit_local trainer=gpu", ["hides all GPUs", "launcher=gpus", "gpus_per_node=1"]),
        ("launcher=gpu", ["launcher has no option 'gpu'", "gpus"]),
    ],
)
def test_refused_with_the_way_out(words: str, reasons: list[str]) -> None:
    message = refused(f"model=sasrec seed=0,1 {words}")
    assert all(reason in message for reason in reasons), message


@pytest.mark.parametrize(
    "words",
    [
        "launcher=serial trainer=ddp trainer.devices=2",
        "launcher=joblib trainer.devices=[1]",
        "launcher=slurm trainer=ddp trainer.devices=4",
        "launcher=gpus trainer.devices=2",
        "hydra/launcher=submitit_local trainer=cpu",
        "hydra/launcher=submitit_local trainer=gpu hydra.launcher.gpus_per_node=1",
    ],
)
def test_what_fits_passes(words: str) -> None:
    skip_without_plugin(words.split())
    check_configuration(["model=sasrec", "seed=0,1", *words.split()], multirun=True, targets=False)


def test_one_run_needs_no_launcher() -> None:
    assert "launcher=joblib runs the jobs of a sweep: add -m" in refused("model=sasrec launcher=joblib", multirun=False)


@pytest.mark.parametrize(
    ("launcher", "extra"), [("joblib", "joblib"), ("gpus", "ray"), ("ray", "ray"), ("slurm", "slurm")]
)
def test_a_plugin_that_is_not_installed_is_one_line(launcher: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def compose(*arguments: Any, **options: Any) -> None:
        file = {"slurm": "submitit_slurm"}.get(launcher, extra)
        raise tree.HydraException(f"In 'launcher/{launcher}': Could not find 'hydra/launcher/{file}'\n\nAvailable: ...")

    monkeypatch.setattr(tree, "compose", compose)
    message = refused(f"model=sasrec seed=0,1 launcher={launcher}")
    assert f"launcher={launcher} needs a plugin of Hydra that is not installed: pip install" in message
    assert f'"seqrec[{extra}]"' in message


@pytest.mark.parametrize(
    ("accelerator", "devices", "gpus"),
    [("cpu", 4, 0), ("gpu", 4, 4), ("auto", 1, 1), ("gpu", "auto", 1), ("cuda", -1, 1)],
)
def test_gpus_of_a_job(accelerator: str, devices: Any, gpus: int) -> None:
    assert gpus_of_job(accelerator, devices) == gpus


def launched(target: str, **node: Any) -> Any:
    """What is looked at of a sweep's configuration."""
    launcher = {"_target_": target, **node}
    return OmegaConf.create({"hydra": {"launcher": launcher, "runtime": {"choices": {"launcher": "gpus"}}}})


def test_slurm_is_asked_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "there is no sbatch or no srun here" in str(missing(launched("hydra_plugins.x.SlurmLauncher")))


@pytest.mark.parametrize(
    ("gpus", "nodes", "asked", "fits"), [(0, 1, 1, False), (0, 1, 0, True), (2, 1, 1, True), (0, 3, 1, True)]
)
def test_jobs_do_not_wait_for_gpus_that_never_come(
    gpus: int, nodes: int, asked: int, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several machines, or of a cluster that grows, others may come."""
    ray = SimpleNamespace(
        is_initialized=lambda: False,
        init=lambda **options: None,
        nodes=lambda: [{}] * nodes,
        cluster_resources=lambda: {"CPU": 2.0} | ({"GPU": float(gpus)} if gpus else {}),
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    found = missing(launched("hydra_plugins.x.RayLauncher", ray={"init": {}, "remote": {"num_gpus": asked}}))
    assert (found is None) == fits
    assert fits or "launcher=gpus: there is no GPU here" in str(found)


def test_a_cluster_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**options: Any) -> None:
        raise ConnectionError("no\ncluster")

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False, init=init))
    found = missing(launched("hydra_plugins.x.RayLauncher", ray={"init": {}, "remote": {}}))
    assert found == "launcher=gpus: Ray cannot be reached: no cluster"


@pytest.mark.parametrize(
    ("storage", "stored"),
    [
        ("postgresql://me:secret@host/studies", True),
        ("postgresql://me:${oc.env:HOST}x@host/studies", True),
        ("mysql://host/studies?user=me&password=secret", True),
        ("postgresql://me:${oc.env:PASSWORD}@host:5432/studies", False),
        ("postgresql://me@host:5432/studies", False),
        ("${oc.env:STUDY}", False),
        ("sqlite:///${hydra.sweep.dir}/study.db", False),
        ("sqlite:////data/a:b@c/study.db", False),
    ],
)
def test_a_password_that_would_be_stored_is_refused(storage: str, stored: bool) -> None:
    pytest.importorskip("optuna")
    config = launched("hydra._internal.core_plugins.basic_launcher.BasicLauncher")
    config.hydra.sweeper = {"_target_": "hydra_plugins.hydra_seqrec_study.study.Study", "storage": storage}
    found = missing(config)
    assert (found is not None) == stored
    assert not stored or "'hydra.sweeper.storage=${oc.env:STUDY}'" in str(found)


@pytest.mark.parametrize(
    ("tasks", "machines", "name", "devices", "nodes", "fits"),
    [
        ("4", "1", "main", 4, 1, True),
        ("4", "1", "main", 1, 1, False),
        ("8", "2", "main", 4, 2, True),
        ("8", "1", "main", 4, 2, False),
        ("4", "1", "bash", 1, 1, True),
        ("4", "1", "main", "auto", 1, True),
    ],
)
def test_an_allocation_of_another_size_is_refused(
    tasks: str, machines: str, name: str, devices: Any, nodes: int, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in (("NTASKS", tasks), ("NNODES", machines), ("JOB_NAME", name)):
        monkeypatch.setenv(f"SLURM_{variable}", value)
    config = OmegaConf.create({"trainer": {"devices": devices, "num_nodes": nodes}})
    if fits:
        check_allocation(config)
        return
    with pytest.raises(ValueError, match=f"--nodes={nodes} --ntasks-per-node={devices} and begin with srun"):
        check_allocation(config)

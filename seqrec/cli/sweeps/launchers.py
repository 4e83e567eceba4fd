"""What runs the jobs of a sweep: what it can be asked for, and whether it is there."""

from __future__ import annotations

import re
import shutil
from importlib.util import find_spec
from typing import Any

from omegaconf import DictConfig, OmegaConf

SERIAL = "serial"

REFERENCE = re.compile(r"\$\{[^{}]*\}")
PASSWORD = re.compile(r"://[^/@]*:[^/]+@|[?&]password=.")
"""In the address of a database."""

WRITTEN_PASSWORD = (
    "hydra.sweeper.storage has a password, which would be stored with each trial: put the address into a variable, "
    "such as STUDY, and write 'hydra.sweeper.storage=${oc.env:STUDY}'"
)

HAS_NO_GPU = (
    "{asked}: there is no GPU here that Ray could give to a job; launcher=joblib runs jobs on CPUs, and "
    "hydra.launcher.ray.remote.num_gpus=0 has Ray do so"
)


def check_launcher(config: DictConfig, first: DictConfig, sweep: bool) -> None:
    """Refuse a job that its launcher would run otherwise than asked.

    Args:
        config: of the job, with Hydra's own.
        first: of the first job of the sweep.
        sweep: whether there are several.

    Raises:
        ValueError: what is asked, and the way out.
    """
    choice, kind = config.hydra.runtime.choices.get("launcher", SERIAL), _kind(config)
    if not sweep:
        if choice != SERIAL:
            raise ValueError(f"launcher={choice} runs the jobs of a sweep: add -m, or leave it out for one run")
        return
    devices, at_first = (OmegaConf.select(part, "trainer.devices") for part in (config, first))
    if devices != at_first and kind in ("SlurmLauncher", "RayLauncher"):
        raise ValueError(f"trainer.devices={devices}: all jobs of a sweep get the same number of devices here")
    if kind == "JoblibLauncher" and _several(devices):
        raise ValueError(
            f"--multirun with trainer.devices={devices}: the jobs of joblib run beside one another, each on all "
            "these devices; launcher=serial runs one job after another, launcher=gpus gives each GPUs of its own"
        )
    if kind == "SlurmLauncher" and devices is not None and not isinstance(devices, int):
        raise ValueError(
            f"--multirun with trainer.devices={devices}: Slurm must know how many tasks a job has; write a number, "
            "such as trainer.devices=4"
        )
    if kind == "LocalLauncher" and _wants_gpu(config) and not config.hydra.launcher.gpus_per_node:
        raise ValueError(
            "--multirun with submitit's local executor: it hides all GPUs from the jobs; launcher=gpus gives each one "
            "of its own (hydra.launcher.gpus_per_node=1 gives all the same one)"
        )


def missing(config: DictConfig) -> str | None:
    """Why a sweep cannot begin on this machine, in one line; None where it can.

    Ray is started here: the launcher would use it as it is.

    Args:
        config: of the sweep, with Hydra's own.
    """
    kind = _kind(config)
    if searches(config) and find_spec("hydra_plugins.hydra_optuna_sweeper") is None:
        return 'a search needs Optuna, which is not installed: pip install "seqrec[optuna]"'
    if searches(config) and _has_password(config):
        return WRITTEN_PASSWORD
    if kind == "SlurmLauncher" and not (shutil.which("sbatch") and shutil.which("srun")):
        return "launcher=slurm: there is no sbatch or no srun here; start it on a machine that hands jobs to Slurm"
    if kind == "RayLauncher":
        return _ray(config)
    return None


def _ray(config: DictConfig) -> str | None:
    import ray  # takes a second, for which no other sweep waits

    node, asked = config.hydra.launcher.ray, f"launcher={config.hydra.runtime.choices.get('launcher')}"
    options: Any = OmegaConf.to_container(node.init, resolve=True)
    try:
        if not ray.is_initialized():
            ray.init(**options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        return f"{asked}: Ray cannot be reached: {' '.join(str(error).split())}"
    alone = len(ray.nodes()) == 1
    if alone and node.remote.get("num_gpus") and not ray.cluster_resources().get("GPU"):
        return HAS_NO_GPU.format(asked=asked)
    return None


def searches(config: DictConfig) -> bool:
    """Whether the jobs of a sweep are trials of a study."""
    return str(OmegaConf.select(config, "hydra.sweeper._target_")).startswith("hydra_plugins.hydra_seqrec_study.")


def _has_password(config: DictConfig) -> bool:
    """Whether a search is given a password itself, rather than a reference, which is stored as such."""
    stored: Any = OmegaConf.to_container(config.hydra.sweeper, resolve=False)
    return PASSWORD.search(REFERENCE.sub("", str(stored["storage"]))) is not None


def _kind(config: DictConfig) -> str:
    """The launcher's class."""
    return str(config.hydra.launcher._target_).rpartition(".")[2]


def _several(devices: Any) -> bool:
    return len(devices) > 1 if OmegaConf.is_list(devices) else devices not in (None, 1, "1")


def _wants_gpu(config: DictConfig) -> bool:
    accelerator = OmegaConf.select(config, "trainer.accelerator")
    if accelerator == "auto":
        import torch  # takes seconds, and nobody else asks

        return torch.cuda.is_available()
    return accelerator in ("gpu", "cuda")

"""What Slurm has given to this process, beside what the run asks for."""

from __future__ import annotations

import os

from omegaconf import DictConfig, OmegaConf

INTERACTIVE = ("bash", "interactive")
"""Names of jobs in which someone types commands; Lightning starts processes there itself."""


def check_allocation(config: DictConfig) -> None:
    """Refuse to train in an allocation of another size, in which Slurm's tasks would wait for one another for ever.

    Args:
        config: of the run.

    Raises:
        ValueError: how many tasks are there, and how many are needed.
    """
    devices = OmegaConf.select(config, "trainer.devices")
    given = os.environ.get("SLURM_NTASKS")
    if given is None or os.environ.get("SLURM_JOB_NAME") in INTERACTIVE or not isinstance(devices, int):
        return
    nodes = OmegaConf.select(config, "trainer.num_nodes") or 1
    machines = os.environ.get("SLURM_NNODES", str(nodes))
    if int(given) != devices * nodes or int(machines) != nodes:
        raise ValueError(
            f"trainer.devices={devices} and trainer.num_nodes={nodes} need {devices * nodes} tasks of Slurm, not "
            f"{given} on {machines}: ask for --nodes={nodes} --ntasks-per-node={devices} and begin with srun"
        )

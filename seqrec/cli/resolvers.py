"""The functions that the configuration calls as ``${name:...}``."""

from __future__ import annotations

from functools import partial
from typing import Any

from omegaconf import OmegaConf

from seqrec.cli.conf import CONF
from seqrec.cli.help import group_list
from seqrec.cli.run_folders import run_folder, updated_folder
from seqrec.reporting.models import text_list


def register_resolvers() -> None:
    """Make them known in this process."""
    OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)
    OmegaConf.register_new_resolver("updated_folder", updated_folder, replace=True)
    OmegaConf.register_new_resolver("group_list", group_list, replace=True)
    OmegaConf.register_new_resolver("model_list", partial(text_list, CONF.parent), replace=True)
    OmegaConf.register_new_resolver("gpus_of_job", gpus_of_job, replace=True)


def gpus_of_job(accelerator: str, devices: Any) -> int:
    """How many GPUs a job needs: as many as devices, none where it asks for CPUs."""
    if accelerator == "cpu":
        return 0
    return devices if isinstance(devices, int) and devices > 0 else 1

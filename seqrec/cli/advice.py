"""What the check of a command line knows about single groups of this project; its other parts know none."""

from __future__ import annotations

from omegaconf import DictConfig, ListConfig, OmegaConf

FILED = frozenset({"settings", "paper_settings"})
"""Groups whose folders hold further options of the same group, not parts to choose."""

FORMER = {"protocol": frozenset({"easnrec", "fenrec"})}
"""Options that are former names of others: they work, but nobody needs to learn them."""


def about_settings(error: ValueError, config: DictConfig) -> ValueError:
    """``error``, with what to do where a model's settings meet another backbone than its own."""
    choices = config.hydra.runtime.choices
    exchanged = any(str(line).startswith("model/backbone=") for line in config.hydra.overrides.task)
    if not (exchanged and str(error).startswith("model.backbone.") and choices.get("settings")):
        return error
    text = f"{error}. The settings of {choices.model} on {choices.data} are for its own backbone: settings=none"
    return ValueError(f"{text} leaves them out")


def refuse_process_groups(config: DictConfig) -> None:
    """A sweep on one machine cannot start process groups: each of their ranks would run the sweep again.

    Raises:
        ValueError: more than one device and Hydra's own launcher, or joblib's, whose workers start no others.
    """
    devices = OmegaConf.select(config, "trainer.devices")
    alone = len(devices) == 1 if isinstance(devices, ListConfig) else devices in (None, 1, "1")
    if alone or config.hydra.launcher._target_.rpartition(".")[2] not in ("BasicLauncher", "JoblibLauncher"):
        return
    raise ValueError(
        f"--multirun with trainer.devices={devices}: every rank would start the whole sweep again;"
        " launch each job as its own process (for seed in 0 1 2; do python main.py trainer=ddp seed=$seed; done)"
        " or set trainer.devices=1"
    )

"""What the check of a command line knows about single groups of this project; its other parts know none."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf

from seqrec.runs.targets import find

FILED = frozenset({"settings", "paper_settings"})
"""Groups whose folders hold further options of the same group, not parts to choose."""

FORMER = {"protocol": frozenset({"easnrec", "fenrec"})}
"""Options that are former names of others: they work, but nobody needs to learn them."""


def check_ready_split(config: DictConfig) -> None:
    """Refuse files of a ready split beside a data set that has none.

    Raises:
        ValueError: the data set does not read them.
    """
    choices, target = config.hydra.runtime.choices, OmegaConf.select(config, "data._target_")
    if choices.get("split") != "files" or not isinstance(target, str):
        return
    if not getattr(find(target, "data"), "takes_files", False):
        raise ValueError(
            f"split=files: data={choices.get('data')} brings no files of a split; choose data=custom with the training "
            "file as data.path, and data.split.validation and data.split.test"
        )


def about_settings(error: ValueError, config: DictConfig) -> ValueError:
    """``error``, with what to do where a model's settings meet another backbone than its own."""
    choices = config.hydra.runtime.choices
    exchanged = any(str(line).startswith("model/backbone=") for line in config.hydra.overrides.task)
    if not (exchanged and str(error).startswith("model.backbone.") and choices.get("settings")):
        return error
    text = f"{error}. The settings of {choices.model} on {choices.data} are for its own backbone: settings=none"
    return ValueError(f"{text} leaves them out")

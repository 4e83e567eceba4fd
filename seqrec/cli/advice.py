"""What the check of a command line knows about single groups of this project; its other parts know none."""

from __future__ import annotations

from omegaconf import DictConfig

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

"""Where the values of this run's configuration come from, as Hydra knows it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from seqrec.runs.origin import Origin


def origin() -> Origin:
    """The choices and the command of the job that Hydra runs now."""
    hydra = HydraConfig.get()
    choices = hydra.runtime.choices
    paper = choices.get("paper")
    return Origin(
        model=choices.get("model"),
        command=_command(hydra),
        settings=_file(choices, "settings"),
        paper=None if paper in (None, "none") else str(paper),
        paper_settings=_file(choices, "paper_settings"),
    )


def _file(choices: Mapping[str, Any], group: str) -> str | None:
    """The chosen option where its file exists: Hydra lists optional ones whether they do or not."""
    option = choices.get(group)
    if option is None or not GlobalHydra.instance().is_initialized():
        return None
    parent, _, name = f"{group}/{option}".rpartition("/")
    there = GlobalHydra.instance().config_loader().get_group_options(parent)
    return str(option) if name in there and option != "none" else None


def _command(hydra: Any) -> str:
    program = ["python", "main.py"] if Path(sys.argv[0]).name == "main.py" else ["seqrec"]
    own = [source.path for source in hydra.runtime.config_sources if source.provider == "command-line"]
    folders = ["--config-dir", own[0]] if own else []
    search = [override for override in hydra.overrides.hydra if override.startswith("hydra.searchpath=")]
    return shlex.join([*program, *folders, *search, *hydra.overrides.task])

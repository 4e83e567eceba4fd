"""Where the values of this run's configuration come from, as Hydra knows it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from hydra._internal.config_repository import ConfigRepository
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra.core.hydra_config import HydraConfig

from seqrec.runs.origin import Origin, git_commit


def origin() -> Origin:
    """The choices, the command and the code of the job that Hydra runs now."""
    hydra = HydraConfig.get()
    choices = hydra.runtime.choices
    paper = choices.get("paper")
    return Origin(
        model=choices.get("model"),
        command=_command(hydra),
        settings=_file(hydra, "settings"),
        paper=None if paper in (None, "none") else str(paper),
        paper_settings=_file(hydra, "paper_settings"),
        git_commit=git_commit(),
    )


def _file(hydra: Any, group: str) -> str | None:
    """The chosen option where its file exists: Hydra lists optional ones whether they do or not."""
    option = hydra.runtime.choices.get(group)
    if option in (None, "none"):
        return None
    path = ConfigSearchPathImpl()  # where Hydra looked: the process of a sweep's job has not looked itself
    for source in hydra.runtime.config_sources:
        if source.schema in ("file", "pkg"):
            path.append(source.provider, f"{source.schema}://{source.path}")
    parent, _, name = f"{group}/{option}".rpartition("/")
    return str(option) if name in ConfigRepository(path).get_group_options(parent) else None


def _command(hydra: Any) -> str:
    program = ["python", "main.py"] if Path(sys.argv[0]).name == "main.py" else ["seqrec"]
    own = [source.path for source in hydra.runtime.config_sources if source.provider == "command-line"]
    folders = ["--config-dir", own[0]] if own else []
    search = [override for override in hydra.overrides.hydra if override.startswith("hydra.searchpath=")]
    return shlex.join([*program, *folders, *search, *hydra.overrides.task])

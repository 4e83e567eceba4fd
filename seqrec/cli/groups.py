"""The groups of the configuration folder and their options."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hydra.core.override_parser.types import Override

from seqrec.runs.targets import suggestion

FILED = "settings"  # has an option of its own beside those in its folders, which are no parts to choose
PART = "base"  # a file that holds what the others of its folder share
Groups = Mapping[str, list[str]]
"""Options of each group, by the group's path; of a folder that holds folders only, ``folder/option``."""


def list_groups(folder: Path, parent: str = "") -> dict[str, list[str]]:
    """All groups in a folder of the configuration, whose path is ``parent``."""
    found: dict[str, list[str]] = {}
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        group = f"{parent}/{path.name}" if parent else path.name
        below = list_groups(path, group)
        own = [option for option in sorted(file.stem for file in path.glob("*.yaml")) if option != PART]
        nested = [f"{sub[len(group) + 1 :]}/{option}" for sub, options in below.items() for option in options]
        found[group] = own + nested if group == FILED else own or nested
        found |= below
    return found


def check_option(override: Override, groups: Groups) -> None:
    """Refuse an option that the group does not have.

    Raises:
        ValueError: with the nearest option and all of them.
    """
    group, value = override.key_or_group, override.value()
    options = groups[group]
    for option in value if isinstance(value, list) else [value]:
        if str(option) not in options:
            near = suggestion(str(option), options) or ";"
            raise ValueError(
                f"{override.input_line}: {group} has no option {str(option)!r}{near} choose one of {', '.join(options)}"
            )

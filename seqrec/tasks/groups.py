"""The groups of the configuration folder and their options."""

from __future__ import annotations

from collections.abc import Mapping

from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override

from seqrec.tasks.signatures import suggestion

FILED = "settings"  # has an option of its own beside those in its folders, which are no parts to choose
PART = "base"  # a file that holds what the others of its folder share
Groups = Mapping[str, list[str]]
"""Options of each group, by the group's path; of a folder that holds folders only, ``folder/option``."""


def list_groups(loader: ConfigLoader, parent: str = "") -> dict[str, list[str]]:
    """All groups below ``parent`` but Hydra's own."""
    found: dict[str, list[str]] = {}
    for name in loader.list_groups(parent):
        group = f"{parent}/{name}" if parent else name
        if group == "hydra":
            continue
        below = list_groups(loader, group)
        own = [o for o in loader.get_group_options(group, results_filter=ObjectType.CONFIG) if o != PART]
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

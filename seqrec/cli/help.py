"""The list of groups that ``--help`` shows."""

from __future__ import annotations

import textwrap

from hydra._internal.hydra import Hydra
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra

from seqrec.cli.advice import FILED, FORMER
from seqrec.cli.groups import Groups, open_repository, primary_file

WIDTH = 100


def skip_lists_of_hydra() -> None:
    """Keep Hydra from listing all groups for its own help: that takes seconds, and ours does not show the lists."""
    Hydra.format_config_groups = lambda *arguments, **options: ""  # type: ignore[method-assign]


def group_list(loader: ConfigLoader | None = None, name: str = "config") -> str:
    """One paragraph a group: ``name  option, option``; of a folder of folders ``name  folder/{option, option}``.

    Settings are left out, since the model and the data set choose them, and so are former names.

    Args:
        loader: Hydra's; by default that of the command that is running, which knows its ``--config-dir``.
        name: of the primary file.
    """
    repository = open_repository(loader or GlobalHydra.instance().config_loader())
    groups, (_, chosen) = Groups(repository), primary_file(repository, name)
    options: dict[str, list[str]] = {}
    for group in groups:
        names = [name for name in groups.own(group) if name not in FORMER.get(group, ())]
        top, _, below = group.partition("/")
        if not names or top in FILED:
            continue
        if top in chosen:
            options[group] = names
        else:
            options.setdefault(f"+{top}", []).extend([f"{below}/{{{', '.join(names)}}}"] if below else names)
    width = max(map(len, options)) + 4
    indent = " " * (width + 2)
    lines = (f"  {group.ljust(width)}{', '.join(names)}" for group, names in options.items())
    return "\n".join(textwrap.fill(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False) for line in lines)

"""The list of groups that `python main.py --help` shows."""

from __future__ import annotations

import textwrap
from pathlib import Path

from seqrec.tasks.groups import PART

WIDTH = 100


def group_list(conf: Path) -> str:
    """One paragraph a group, ``name  option, option, ...``; of a folder of folders the options are ``folder/option``.

    Args:
        conf: folder of the configuration.
    """
    options: dict[str, list[str]] = {}
    for folder in sorted(path for path in conf.rglob("*") if path.is_dir()):
        names = sorted(path.stem for path in folder.glob("*.yaml") if path.stem != PART)
        if names and folder.relative_to(conf).parts[0] != "hydra":
            options[folder.relative_to(conf).as_posix()] = names
    width = max(map(len, options)) + 4
    lines = []
    for group, names in options.items():
        text = f"  {group.ljust(width)}{', '.join(names)}"
        lines += textwrap.wrap(text, WIDTH, subsequent_indent=" " * (width + 2), drop_whitespace=True) or [text]
    return "\n".join(lines)

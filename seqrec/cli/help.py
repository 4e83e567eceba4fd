"""The list of groups that `python main.py --help` shows."""

from __future__ import annotations

import textwrap
from pathlib import Path

from omegaconf import OmegaConf

from seqrec.cli.groups import PART
from seqrec.cli.keys import chosen_groups

WIDTH = 100


def group_list(conf: Path) -> str:
    """One paragraph a group: ``name  option, option``; of a folder of folders ``name  folder/{option, option}``.

    Settings are left out: the model and the data set choose them.

    Args:
        conf: folder of the configuration.
    """
    chosen = chosen_groups(OmegaConf.load(conf / "config.yaml"))
    options: dict[str, list[str]] = {}
    for folder in sorted(path for path in conf.rglob("*") if path.is_dir()):
        names = sorted(path.stem for path in folder.glob("*.yaml") if path.stem != PART)
        group = folder.relative_to(conf).as_posix()
        top, _, below = group.partition("/")
        if not names or top == "settings":
            continue
        if top in chosen:
            options[group] = names
        else:
            options.setdefault(f"+{top}", []).extend([f"{below}/{{{', '.join(names)}}}"] if below else names)
    width = max(map(len, options)) + 4
    indent = " " * (width + 2)
    lines = (f"  {group.ljust(width)}{', '.join(names)}" for group, names in options.items())
    return "\n".join(textwrap.fill(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False) for line in lines)

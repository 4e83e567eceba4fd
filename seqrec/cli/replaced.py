"""Parts that a command line chooses and a file of settings replaces: refused, because the choice would do nothing.

Hydra merges ``settings`` and ``paper_settings`` after all options, so what they say about a part wins over which option
was chosen for it. Values inside a part are meant that way; another part is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra._internal.config_repository import IConfigRepository
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from seqrec.cli.advice import FILED


def refuse_replaced(
    overrides: Sequence[Override], defaults: Sequence[ResultDefault], repository: IConfigRepository
) -> None:
    """Refuse a choice in whose place a file of settings puts another part.

    Args:
        overrides: options that are chosen on the command line.
        defaults: all files that are merged, in their order.
        repository: reads them.

    Raises:
        ValueError: with the file, and how to leave it out.
    """
    files = [str(d.config_path) for d in defaults if str(d.config_path).partition("/")[0] in FILED]
    for override in overrides:
        group, option = override.key_or_group, f"{override.key_or_group}/{override.value()}"
        if group in FILED:
            continue
        package = next((d.package for d in defaults if d.config_path == option), None)
        place = override.package or package or group.replace("/", ".")
        for file in files:
            part = _part(_content(repository, file), place)
            if part is not None and part != _part(_content(repository, option), ""):
                raise ValueError(
                    f"{override.input_line}: conf/{file}.yaml has a part of its own in {place}, which would replace "
                    f"this one; {file.partition('/')[0]}=none leaves that file out"
                )


def _content(repository: IConfigRepository, file: str) -> Any:
    result = repository.load_config(file)
    return None if result is None else result.config


def _part(content: Any, place: str) -> tuple[Any, ...] | None:
    """What a file puts at ``place``: a class or function, and its name if any; None where it sets values only."""
    node = content
    for key in place.split(".") if place else []:
        if not isinstance(node, DictConfig) or key not in node:
            return None
        node = node._get_node(key) if OmegaConf.is_interpolation(node, key) else node[key]
    if not isinstance(node, DictConfig):
        return (str(node),)
    return (node["_target_"], node.get("name")) if "_target_" in node else None

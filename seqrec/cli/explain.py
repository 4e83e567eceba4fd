"""``--explain data.batch_size``: which files and arguments set a value, in their order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from seqrec.cli.conf import CONF
from seqrec.cli.keys import check_key
from seqrec.cli.tree import Tree

NOTHING: Any = object()
COMMAND_LINE = "command line"


def explain(key: str, arguments: Sequence[str], conf: Path = CONF, name: str = "config") -> list[str]:
    """One line for ``key``, or for each key below it: where its value comes from.

    Args:
        key: dotted, such as ``data.batch_size``.
        arguments: the overrides of the command line.
        conf: folder of the configuration.
        name: of its primary file.

    Returns:
        ``data.batch_size = 32: 256 conf/data/base.yaml -> 64 conf/data/synthetic.yaml -> 32 command line``.

    Raises:
        ValueError: the configuration has no such key; the nearest that it has.
    """
    with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        tree = Tree(loader, name, arguments)
        overrides = [str(override.input_line) for override in tree.overrides]
        config = tree.compose(overrides)
        check_key(config, f"--explain {key}", key, None, tree.groups)
        sources = list(_files(tree, loader.compute_defaults_list(name, [*tree.search_path, *overrides], RunMode.RUN)))
        for override in tree.overrides:
            if override.key_or_group not in tree.groups and not override.is_hydra_override():
                sources.append((COMMAND_LINE, override.key_or_group, override.value()))
    plain: Any = OmegaConf.to_container(config, resolve=False)
    return [_line(config, leaf, sources) for leaf in _leaves(key, _at(plain, key))]


def _files(tree: Tree, defaults: Any) -> Iterator[tuple[str, str, Any]]:
    """The files that are merged, in their order: name, the key below which the content stands, content."""
    for default in defaults.defaults:
        if default.config_path.startswith("hydra/"):
            continue
        result: Any = tree.repository.load_config(default.config_path)
        folder = result.path.removeprefix("file://")
        folder = "conf" if folder == str(CONF) else folder
        content = OmegaConf.to_container(result.config, resolve=False)
        yield f"{folder}/{default.config_path}.yaml", default.package or "", content


def _line(config: Any, key: str, sources: Sequence[tuple[str, str, Any]]) -> str:
    steps = []
    for source, package, content in sources:
        value = content
        if package and key != package:
            value = _at(content, key.removeprefix(f"{package}.")) if key.startswith(f"{package}.") else NOTHING
        elif not package:
            value = _at(content, key)
        if value is not NOTHING:
            steps.append(f"{_shown(value)} {source}")
    try:
        value = OmegaConf.select(config, key)
    except ValueError:  # a reference that only a job can follow
        value = _at(OmegaConf.to_container(config, resolve=False), key)
    return f"{key} = {_shown(value)}: {' -> '.join(steps)}"


def _at(content: Any, key: str) -> Any:
    """What stands at a dotted key of plain mappings and lists."""
    for part in key.split("."):
        if isinstance(content, list) and part.isdigit() and int(part) < len(content):
            content = content[int(part)]
        elif isinstance(content, dict) and part in content:
            content = content[part]
        else:
            return NOTHING
    return content


def _leaves(key: str, content: Any) -> Iterator[str]:
    if isinstance(content, dict) and content:
        for name, below in content.items():
            if name != "hydra":
                yield from _leaves(f"{key}.{name}", below)
    else:
        yield key


def _shown(value: Any) -> str:
    plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    return plain if isinstance(plain, str) else json.dumps(plain)

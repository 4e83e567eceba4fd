"""What Hydra itself makes of a configuration (callbacks, launcher, sweeper, logging), which a file may set as well."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from seqrec.runs.targets import PROJECT, VARIABLE, is_own

PLUGINS = {
    "callbacks": ("hydra.experimental.callbacks.", "seqrec.cli.sweeps.jobs.", "seqrec.cli.traces."),
    "launcher": ("hydra._internal.core_plugins.", "hydra_plugins."),
    "sweeper": ("hydra._internal.core_plugins.", "hydra_plugins."),
}
"""Where the classes lie that a node of Hydra may make, besides those of packages that the user allows."""

LOGGING = ("logging.", "colorlog.", "rich.logging.", "seqrec.cli.log_file.")
"""Where the classes of log handlers and formatters lie."""

LOADERS = (VARIABLE, "BASH_ENV", "DYLD_", "HYDRA_", "LD_", "PATH", "PYTHON", "TORCHINDUCTOR", "TRITON")
"""How the variables begin that decide which code a process or its children run."""

STREAMS = ("ext://sys.stdout", "ext://sys.stderr")


def check_machinery(hydra: DictConfig) -> None:
    """Refuse a configuration of Hydra that would call what is neither Hydra's nor a package that the user allows.

    Args:
        hydra: the node ``hydra`` of a composed configuration.

    Raises:
        ValueError: naming the key.
    """
    for part, places in PLUGINS.items():
        for key, value in _leaves(_written(hydra, part), f"hydra.{part}"):
            if key.endswith("._target_"):
                _check(key, value, places)
    for part in ("job_logging", "hydra_logging"):
        for key, value in _leaves(_written(hydra, part), f"hydra.{part}"):
            if key.endswith((".class", ".()")):
                _check(key, value, LOGGING)
            elif isinstance(value, str) and "ext://" in value and value not in STREAMS:
                raise ValueError(f"{key} is {value!r}; it may be {' or '.join(STREAMS)}")
    for key, value in _leaves(_written(hydra, "job"), "hydra.job"):
        name = key.removeprefix("hydra.job.env_set.")
        if name != key and name.upper().startswith(LOADERS) and value != os.environ.get(name):
            raise ValueError(f"{key} is {value!r}; it decides which code is run, so set {name} in the shell")


def _check(key: str, target: Any, places: tuple[str, ...]) -> None:
    name = str(target)
    package = name.partition(".")[0]
    if name.startswith(places) or (package != PROJECT and "." in name and is_own(name)):
        return
    raise ValueError(f"{key} is {name!r}; Hydra may only call {', '.join(places)} and packages named in {VARIABLE}")


def _written(hydra: DictConfig, part: str) -> Any:
    """A part of Hydra's node with references as their text, which is refused where a name is expected."""
    node = hydra._get_node(part)
    return OmegaConf.to_container(node, resolve=False) if isinstance(node, DictConfig) else node


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every value below a node with its dotted key."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}")
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from _leaves(value, f"{path}.{place}")
    else:
        yield path, node

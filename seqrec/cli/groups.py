"""The groups of the configuration and their options, over the whole search path of Hydra."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cache
from typing import Any

from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from seqrec.cli.advice import FILED
from seqrec.runs.targets import suggestion

PART = "base"  # a file that holds what the others of its folder share
OTHERS = ("hydra", "wandb")  # Hydra's own groups are left to Hydra; the other folder is for `wandb sweep`


def open_repository(loader: ConfigLoader, folders: Sequence[str] = ()) -> ConfigRepository:
    """All files of a configuration.

    Args:
        loader: Hydra's, which knows the project's folder and that of ``--config-dir``.
        folders: what ``hydra.searchpath`` adds, such as ``file:///mine/conf`` or ``pkg://mine.conf``.

    Raises:
        ValueError: a folder is not there.
    """
    path = deepcopy(loader.get_search_path())
    for folder in folders:
        path.prepend("command-line", folder, SearchPathQuery(provider="schema"))  # after all others, as Hydra does
    repository = ConfigRepository(path)
    for source in repository.get_sources():
        if source.provider == "command-line" and not source.available():
            hint = "; a folder in a package needs an __init__.py" if source.scheme() == "pkg" else ""
            raise ValueError(f"there is no configuration folder {source.full_path()}{hint}")
    return repository


class Groups(Mapping[str, list[str]]):
    """Options of each group, by the group's path; of a folder that holds folders only, ``folder/option``.

    A group is looked up when it is asked for: a search path may be long, and a command line names few groups.
    """

    def __init__(self, repository: ConfigRepository) -> None:
        self._list = cache(repository.get_group_options)

    def __getitem__(self, group: str) -> list[str]:
        if not self._known(group):
            raise KeyError(group)
        own = self.own(group)
        if own and group not in FILED:
            return own
        return own + [f"{sub}/{option}" for sub in self._below(group) for option in self[f"{group}/{sub}"]]

    def __iter__(self) -> Iterator[str]:
        yield from self._walk("")

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def own(self, group: str) -> list[str]:
        """The options that lie in the group's folder itself."""
        return [option for option in self._list(group, ObjectType.CONFIG) if option != PART]

    def _known(self, group: str) -> bool:
        parent, _, name = group.rpartition("/")
        return bool(name) and name in self._below(parent)

    def _below(self, group: str) -> list[str]:
        return [name for name in self._list(group, ObjectType.GROUP) if group or name not in OTHERS]

    def _walk(self, parent: str) -> Iterator[str]:
        for name in self._below(parent):
            group = f"{parent}/{name}" if parent else name
            yield group
            yield from self._walk(group)


def check_option(override: Override, groups: Mapping[str, list[str]]) -> None:
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


def primary_file(repository: ConfigRepository, name: str) -> tuple[DictConfig, list[str]]:
    """The values of the file ``name`` itself, and the groups of which its defaults list chooses an option.

    Raises:
        ValueError: there is no such file.
    """
    result = repository.load_config(name)
    if result is None:
        raise ValueError(f"the configuration has no file {name}.yaml")
    config: Any = result.config
    assert isinstance(config, DictConfig)
    groups = [getattr(default, "group", None) for default in result.defaults_list or ()]
    return config, [str(group) for group in groups if group]

"""The files of a configuration, composed choice by choice as Hydra does, with each group and key checked first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from inspect import isclass

from hydra import compose
from hydra.core.config_loader import ConfigLoader
from hydra.core.default_element import ConfigDefault, GroupDefault
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf

from seqrec.cli.groups import Groups, check_option, open_repository, primary_file
from seqrec.cli.keys import check_addition, check_key, check_top_level
from seqrec.cli.nodes import WrongClass
from seqrec.runs.targets import find

PLUGINS = {
    "ax": "hydra-ax-sweeper",
    "joblib": '"seqrec[joblib]"',
    "nevergrad": "hydra-nevergrad-sweeper",
    "optuna": '"seqrec[optuna]"',
    "ray": '"seqrec[ray]"',
    "submitit": '"seqrec[slurm]"',
}
"""What pip installs for launchers and sweepers beside Hydra's own, by the first word of their names."""

SEARCH_PATH = "hydra.searchpath"


class Tree:
    """The files of a configuration: composes as Hydra does, but checks each group and key first.

    Attributes:
        overrides: the command line, parsed.
        groups: options of each group.
    """

    def __init__(self, loader: ConfigLoader, name: str, arguments: Sequence[str]) -> None:
        self.name, self.loader = name, loader
        self.parser = OverridesParser.create(config_loader=loader)
        parsed = [self.parse(argument) for argument in arguments]
        self.overrides = [override for override in parsed if override.key_or_group != SEARCH_PATH]
        folders = [folder for override in parsed if override.key_or_group == SEARCH_PATH for folder in _list(override)]
        self.repository = open_repository(loader, folders)
        self.primary, self.chosen = primary_file(self.repository, name)
        own = OmegaConf.select(self.primary, SEARCH_PATH)
        if own:
            folders += own
            self.repository = open_repository(loader, folders)
            self.primary, self.chosen = primary_file(self.repository, name)
        self.search_path = [f"{SEARCH_PATH}=[{','.join(map(quoted, folders))}]"] if folders else []
        self.groups = Groups(self.repository)
        self.composed: dict[tuple[str, ...], DictConfig] = {}  # the jobs of a sweep share most choices

    def parse(self, argument: str) -> Override:
        """Read one ``key=value``."""
        try:
            return self.parser.parse_overrides([argument])[0]
        except OverrideParseException as error:
            reason = str(error).partition("\n")[0]
            advice = "write key=value, and quote special characters: \"key='a b'\""
            raise ValueError(f"cannot read {argument!r}: {reason}; {advice}") from None

    def compose(self, arguments: list[str]) -> DictConfig:
        """Choose the groups, check the keys, then set the values as Hydra will."""
        self._check_parts(arguments)
        chosen, values = [], []
        for argument in arguments:
            override = self.parse(argument)
            if override.key_or_group == "hydra" or override.is_hydra_override():
                chosen.append(argument)
            elif override.is_delete():
                raise ValueError(f"{argument}: a configuration loses nothing; choose another option or value")
            elif override.is_add() and override.package is None and override.key_or_group in self.chosen:
                raise ValueError(f"{argument}: one {override.key_or_group} is chosen; write {argument.lstrip('+')}")
            elif override.key_or_group in self.groups:
                check_option(override, self.groups)
                chosen.append(argument)
            else:
                values.append((argument, override))
        config = self._choose(tuple(chosen))
        for argument, override in values:
            if override.package is not None or override.is_add() or override.is_force_add():
                check_addition(config, argument, override, self.groups)
            else:
                check_key(config, argument, override.key_or_group, override.value(), self.groups)
            OmegaConf.update(config, override.key_or_group, override.value(), merge=True, force_add=True)
        return config

    def check_heeded(self, config: DictConfig, arguments: list[str]) -> None:
        """Refuse an option in whose place a file that is merged later, such as settings, puts another part.

        Args:
            config: as composed from ``arguments``.
            arguments: groups and values.
        """
        given = [self.parse(argument) for argument in arguments]
        values = {override.key_or_group for override in given}
        for override in given:
            option, path = override.value(), override.key_or_group.replace("/", ".")
            if override.key_or_group not in self.groups or not isinstance(option, str):
                continue
            file = primary_file(self.repository, f"{override.key_or_group}/{option}")[0]
            key = f"{path}.name" if path == "protocol" else f"{path}._target_"
            asked, found = file.get(key.rpartition(".")[2]), OmegaConf.select(config, key)
            if asked and found and asked != found and key not in values:
                write = "" if path == "protocol" else f"write {key}={asked}, or "  # a name alone changes no ranking
                raise ValueError(
                    f"{override.input_line}: settings of the model, which come after it, choose {found} instead; "
                    f"{write}leave the settings out with settings=none, those of a paper with paper_settings=none"
                )

    def options_of(self, error: WrongClass) -> str:
        """The options of the part's group that are of the class that is needed."""
        group = error.path.replace(".", "/")
        fitting = [option for option in self.groups.get(group, []) if self._makes(f"{group}/{option}", error.needed)]
        return f"; choose {group}={' or '.join(fitting)}" if fitting else ""

    def _check_parts(self, arguments: list[str]) -> None:
        """Refuse parts of a training for a task that opens a run or a bundle, which has its own."""
        given = [self.parse(argument) for argument in arguments]
        for task in [override for override in given if override.key_or_group == "task"]:
            left_out = self._left_out(f"task/{task.value()}")
            for override in given:
                part = re.split(r"[./@]", override.key_or_group)[0]
                if part in left_out and override.value() is not None:
                    said = f"what {task.input_line} opens has its own {part}; leave it out"
                    raise ValueError(f"{override.input_line}: {said}")

    def _left_out(self, file: str) -> set[str]:
        """The groups that a file, or one that it includes, puts to null, but for settings, which name no part."""
        loaded = self.repository.load_config(file)
        found: set[str] = set()
        for default in (loaded and loaded.defaults_list) or ():
            if isinstance(default, GroupDefault):
                found |= {str(default.group).lstrip("/")} if default.value is None else set()
            elif isinstance(default, ConfigDefault) and not default.is_self():
                found |= self._left_out(f"{file.rpartition('/')[0]}/{default.path}")
        return {group for group in found if not group.endswith("settings")}

    def _makes(self, file: str, needed: type) -> bool:
        """Whether a file itself names a class of the kind that is needed."""
        target = primary_file(self.repository, file)[0].get("_target_")
        try:
            made = target and find(target, file)
        except ValueError:
            return False  # none that may be called
        return isclass(made) and issubclass(made, needed)

    def _choose(self, chosen: tuple[str, ...]) -> DictConfig:
        """A copy of the configuration that group choices give, before any value is set."""
        if chosen not in self.composed:
            try:
                config = compose(self.name, [*self.search_path, *chosen], return_hydra_config=True)
            except HydraException as error:
                raise ValueError(_in_one_line(error, chosen)) from None
            own = [group for group in config.hydra.runtime.choices if "/" not in group and "@" not in group]
            check_top_level(config, self.primary, [*self.chosen, *own])
            self.composed[chosen] = config
        return deepcopy(self.composed[chosen])


def _list(override: Override) -> list[str]:
    """The folders that one ``hydra.searchpath=[...]`` names.

    Raises:
        ValueError: it is no list.
    """
    folders = override.value()
    if not isinstance(folders, list):
        raise ValueError(f"{override.input_line}: write a list, such as {SEARCH_PATH}=[file://mine/conf]")
    return [str(folder) for folder in folders]


def quoted(folder: str) -> str:
    """A path as Hydra's grammar takes it, whatever it holds."""
    escaped = folder.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _in_one_line(error: HydraException, chosen: tuple[str, ...]) -> str:
    """Hydra's message without its paths and advice; the frequent ones in our own words."""
    text = str(error).partition("\nConfig search path")[0].partition("\nTo append")[0]
    plugin = re.search(r"Could not find '(hydra/(?:launcher|sweeper))/(\w+)'", text)
    if plugin and (package := PLUGINS.get(plugin[2].partition("_")[0])):
        asked = next((word for word in chosen if word.startswith(("launcher=", "+sweep="))), f"{plugin[1]}={plugin[2]}")
        return f"{asked} needs a plugin of Hydra that is not installed: pip install {package}"
    inside = re.match(r"In '(\w+/\w+)': Could not override '(.+)/(\w+)'", text)
    if inside:
        model, group, part = inside.groups()
        option = next((argument for argument in chosen if argument.startswith(f"{group}=")), group)
        return f"{option}: {model.replace('/', '=')} chooses {group}/{part}, which this one does not have"
    for argument in chosen:
        key = argument.lstrip("+").partition("=")[0]
        above, _, last = key.rpartition("/")
        if f"Could not override '{key}'" in text and above.partition("/")[0] == "model":
            return f"{argument}: the {above} that is chosen here has no {last} of its own to choose"
        if f"Could not override '{key}'" in text and "@" not in key and not key.startswith("hydra"):
            return f"{argument}: {key} is not part of every configuration; write +{argument}"
    return " ".join(text.split())

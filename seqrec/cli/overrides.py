"""Check a command line against the configuration tree, before Hydra composes it for the run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import cast

from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf

from seqrec.cli.conf import CONF
from seqrec.cli.groups import check_option, list_groups
from seqrec.cli.keys import check_key, check_top_level, chosen_groups, not_addable
from seqrec.cli.schema import WrongClass, check_targets
from seqrec.runs.targets import find


def check_configuration(
    arguments: list[str], multirun: bool = False, targets: bool = True, conf: Path = CONF, name: str = "config"
) -> DictConfig:
    """Check every configuration that ``arguments`` ask for; of a sweep each value, one at a time.

    Args:
        arguments: overrides in Hydra's grammar.
        multirun: ``--multirun`` was given.
        targets: also import what the configuration calls and check its arguments.
        conf: folder of the configuration.
        name: of its primary file.

    Returns:
        The configuration of the run, for a sweep that of its first job, with Hydra's own under ``hydra``.

    Raises:
        ValueError: one line that says what was given, what is allowed, and the nearest valid name.
    """
    with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
        tree = _Tree(GlobalHydra.instance().config_loader(), conf, name)
        overrides = [tree.parse(argument) for argument in arguments]
        first = tree.compose([_choices(override)[0] for override in overrides])
        sweep = multirun or first.hydra.mode == RunMode.MULTIRUN
        if sweep:
            on_line = {override.get_key_element() for override in overrides}
            listed = first.hydra.sweeper.get("params") or {}
            overrides += [tree.parse(f"{key}={value}") for key, value in listed.items() if key not in on_line]
        for override in overrides:
            if override.is_sweep_override() and not sweep:
                raise ValueError(
                    f"{override.input_line} lists several values: add -m to run each, or write a list as key=[a,b]"
                )
        for job, differs in _jobs([_choices(override) for override in overrides]):
            try:
                _check_job(tree.compose(job), sweep, targets)
            except WrongClass as error:
                raise ValueError(f"{error}{_options(error, conf)}") from None
            except ValueError as error:
                raise ValueError(f"{error} (in the job with {differs})" if differs else str(error)) from None
    return first


def _check_job(config: DictConfig, sweep: bool, targets: bool) -> None:
    """What can only be checked on the whole of a configuration."""
    if sweep:
        _refuse_process_groups(config)
    if not targets:
        return
    try:
        check_targets(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]), "")
    except ValueError as error:
        choices = config.hydra.runtime.choices
        exchanged = any(str(line).startswith("model/backbone=") for line in config.hydra.overrides.task)
        if exchanged and str(error).startswith("model.backbone.") and choices.get("settings"):
            text = f"{error}. The settings of {choices.model} on {choices.data} are for its own backbone: settings=none"
            raise ValueError(f"{text} leaves them out") from None
        raise


def _options(error: WrongClass, conf: Path) -> str:
    """The options of the part's group that are of the class that is needed."""
    group = error.path.replace(".", "/")
    fitting = []
    for path in sorted((conf / group).glob("*.yaml")):
        target = OmegaConf.select(OmegaConf.load(path), "_target_")
        if target and issubclass(cast(type, find(target, error.path)), error.needed):
            fitting.append(path.stem)
    return f"; choose {group}={' or '.join(fitting)}" if fitting else ""


def _choices(override: Override) -> list[str]:
    """The plain overrides that one of a sweep stands for; of an interval its two ends."""
    if not override.is_sweep_override():
        return [str(override.input_line)]
    value, key = override.value(), override.get_key_element()
    if isinstance(value, IntervalSweep):
        return [f"{key}={value.start}", f"{key}={value.end}"]
    choices = [f"{key}={choice}" for choice in override.sweep_string_iterator()]
    if not choices:
        raise ValueError(f"{override.input_line} matches nothing")
    return choices


def _jobs(choices: list[list[str]]) -> Iterator[tuple[list[str], str]]:
    """The first job of a sweep, then those that differ from it in one value, with that value."""
    first = [one[0] for one in choices]
    yield first, ""
    for place, one in enumerate(choices):
        for other in one[1:]:
            yield [*first[:place], other, *first[place + 1 :]], other


class _Tree:
    """The configuration folder: composes as Hydra does, but checks each group and key first."""

    def __init__(self, loader: ConfigLoader, conf: Path, name: str) -> None:
        self.name, self.groups = name, list_groups(conf)
        self.parser = OverridesParser.create(config_loader=loader)
        self.primary = OmegaConf.load(conf / f"{name}.yaml")
        self.chosen = chosen_groups(self.primary)
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
        chosen, values = [], []
        for argument in arguments:
            override = self.parse(argument)
            if override.key_or_group == "hydra" or override.is_hydra_override():
                chosen.append(argument)
            elif override.is_delete():
                raise ValueError(f"{argument}: a configuration loses nothing; choose another option or value")
            elif override.is_add() and override.key_or_group in self.chosen:
                raise ValueError(f"{argument}: one {override.key_or_group} is chosen; write {argument.lstrip('+')}")
            elif override.key_or_group in self.groups:
                check_option(override, self.groups)
                chosen.append(argument)
            else:
                values.append((argument, override))
        config = self._choose(tuple(chosen))
        for argument, override in values:
            if override.package is not None or override.is_add() or override.is_force_add():
                raise not_addable(argument, override, config, self.groups)
            check_key(config, argument, override.key_or_group, override.value(), self.groups)
            OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
        return config

    def _choose(self, chosen: tuple[str, ...]) -> DictConfig:
        """A copy of the configuration that group choices give, before any value is set."""
        if chosen not in self.composed:
            try:
                self.composed[chosen] = compose(self.name, list(chosen), return_hydra_config=True)
            except HydraException as error:
                raise ValueError(_in_one_line(error, chosen)) from None
            check_top_level(self.composed[chosen], self.primary)
        return deepcopy(self.composed[chosen])


def _in_one_line(error: HydraException, chosen: tuple[str, ...]) -> str:
    """Hydra's message without its paths and advice; the frequent ones in our own words."""
    text = str(error).partition("\nConfig search path")[0].partition("\nTo append")[0]
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


def _refuse_process_groups(config: DictConfig) -> None:
    """A sweep inside one process cannot start process groups: each of their ranks would run the sweep again.

    Raises:
        ValueError: more than one device and Hydra's own launcher.
    """
    devices = OmegaConf.select(config, "trainer.devices")
    alone = len(devices) == 1 if isinstance(devices, ListConfig) else devices in (None, 1, "1")
    if alone or config.hydra.launcher._target_.rpartition(".")[2] != "BasicLauncher":
        return
    raise ValueError(
        f"--multirun with trainer.devices={devices}: every rank would start the whole sweep again;"
        " launch each job as its own process (for seed in 0 1 2; do python main.py trainer=ddp seed=$seed; done)"
        " or set trainer.devices=1"
    )

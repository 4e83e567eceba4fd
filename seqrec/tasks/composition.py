"""Check a command line against the configuration tree, before Hydra composes it for the run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from seqrec.tasks.groups import check_option, list_groups
from seqrec.tasks.keys import check_key, check_top_level, not_addable
from seqrec.tasks.signatures import check_targets

CONF = Path(__file__).parents[2] / "conf"


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
        loader = GlobalHydra.instance().config_loader()
        parser = OverridesParser.create(config_loader=loader)
        overrides = [_parse(parser, argument) for argument in arguments]
        first = _compose_and_check([_choices(override)[0] for override in overrides], loader, parser, conf, name)
        sweep = multirun or first.hydra.mode == RunMode.MULTIRUN
        if sweep:
            on_line = {override.get_key_element() for override in overrides}
            listed = first.hydra.sweeper.get("params") or {}
            overrides += [_parse(parser, f"{key}={value}") for key, value in listed.items() if key not in on_line]
        for override in overrides:
            if override.is_sweep_override() and not sweep:
                raise ValueError(
                    f"{override.input_line} lists several values: add -m to run each, or write a list as key=[a,b]"
                )
        for job in _jobs([_choices(override) for override in overrides]):
            config = _compose_and_check(job, loader, parser, conf, name)
            if sweep:
                _refuse_process_groups(config)
            if targets:
                without_hydra = OmegaConf.masked_copy(config, [key for key in config if key != "hydra"])
                check_targets(without_hydra, "")
    return first


def _parse(parser: OverridesParser, argument: str) -> Override:
    try:
        return parser.parse_overrides([argument])[0]
    except OverrideParseException as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"cannot read {argument!r}: {reason}; write key=value, and quote values with special characters: \"key='a b'\""
        ) from None


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


def _jobs(choices: list[list[str]]) -> Iterator[list[str]]:
    """The first job of a sweep, then those that differ from it in one value."""
    first = [one[0] for one in choices]
    yield first
    for place, one in enumerate(choices):
        for other in one[1:]:
            yield [*first[:place], other, *first[place + 1 :]]


def _compose_and_check(
    arguments: list[str], loader: ConfigLoader, parser: OverridesParser, conf: Path, name: str
) -> DictConfig:
    """Choose the groups, check the keys, then set the values as Hydra will."""
    groups = list_groups(loader)
    chosen, values = [], []
    for argument in arguments:
        override = _parse(parser, argument)
        key = override.key_or_group
        if key == "hydra" or override.is_hydra_override():
            chosen.append(argument)
        elif override.is_delete():
            raise ValueError(f"{argument}: nothing can be removed from a configuration; choose another option or value")
        elif key in groups:
            check_option(override, groups)
            chosen.append(argument)
        else:
            values.append((argument, override))
    try:
        config = compose(name, chosen, return_hydra_config=True)
    except HydraException as error:
        raise ValueError(_in_one_line(error, chosen)) from None
    check_top_level(config, OmegaConf.load(conf / f"{name}.yaml"), groups)
    for argument, override in values:
        if override.package is not None or override.is_add() or override.is_force_add():
            raise not_addable(argument, override, config, groups)
        check_key(config, argument, override.key_or_group, override.value(), groups)
        OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
    return config


def _in_one_line(error: HydraException, chosen: list[str]) -> str:
    """Hydra's message without its paths and advice; the frequent ones in our own words."""
    text = str(error).partition("Config search path")[0]
    for argument in chosen:
        key = argument.lstrip("+").partition("=")[0]
        above, _, last = key.rpartition("/")
        if f"Could not override '{key}'" in text and above in ("model", "model/backbone"):
            return f"{argument}: the {above} that is chosen here has no {last} of its own to choose"
        if f"Could not override '{key}'" in text:
            return f"{argument}: {key} is not part of every configuration; write +{argument}"
        if f"Multiple values for {key}" in text and argument.startswith("+"):
            return f"{argument}: there is always one {key}; write {argument.lstrip('+')}"
    return " ".join(text.split())


def _refuse_process_groups(config: DictConfig) -> None:
    """A sweep inside one process cannot start process groups: each of their ranks would run the sweep again.

    Raises:
        ValueError: more than one device and Hydra's own launcher.
    """
    devices = OmegaConf.select(config, "trainer.devices")
    alone = devices in (None, 1, "1") or (isinstance(devices, list) and len(devices) == 1)
    if alone or config.hydra.launcher._target_.rpartition(".")[2] != "BasicLauncher":
        return
    raise ValueError(
        f"--multirun with trainer.devices={devices}: every rank would start the whole sweep again. Start each job as a"
        " process of its own (for seed in 0 1 2; do python main.py trainer=ddp seed=$seed; done), or set trainer.devices=1"
    )

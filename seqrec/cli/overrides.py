"""Check a command line against the configuration tree, before Hydra composes it for the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from seqrec.cli.advice import about_settings, check_ready_split
from seqrec.cli.conf import CONF
from seqrec.cli.machinery import check_machinery
from seqrec.cli.nodes import WrongClass, check_targets
from seqrec.cli.sweeps.launchers import check_launcher
from seqrec.cli.tree import Tree


def check_configuration(
    arguments: Sequence[str], multirun: bool = False, targets: bool = True, conf: Path = CONF, name: str = "config"
) -> DictConfig:
    """Check every configuration that ``arguments`` ask for; of a sweep each value, one at a time.

    Args:
        arguments: overrides in Hydra's grammar; those of ``hydra.searchpath`` add to one another.
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
        tree = Tree(GlobalHydra.instance().config_loader(), name, arguments)
        first = tree.compose([_choices(override)[0] for override in tree.overrides])
        sweep = multirun or first.hydra.mode == RunMode.MULTIRUN
        overrides = list(tree.overrides)
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
                config = tree.compose(job)
                tree.check_heeded(config, job)
                check_launcher(config, first, sweep)
                _check_job(config, targets)
            except WrongClass as error:
                raise ValueError(f"{error}{tree.options_of(error)}") from None
            except ValueError as error:
                raise ValueError(f"{error} (in the job with {differs})" if differs else str(error)) from None
    return first


def _check_job(config: DictConfig, targets: bool) -> None:
    """What can only be checked on the whole of a configuration."""
    if targets:
        check_machinery(config.hydra)
        check_ready_split(config)
        try:
            check_targets(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]), "")
        except WrongClass:
            raise
        except ValueError as error:
            raise about_settings(error, config) from None


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

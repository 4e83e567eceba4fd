"""The command line: configurations are checked before anything runs, errors for people are one line."""

from __future__ import annotations

import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path
from typing import NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import call
from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from seqrec.cli.aliases import normalise
from seqrec.cli.conf import CONF
from seqrec.cli.explain import explain
from seqrec.cli.help import group_list, skip_lists_of_hydra
from seqrec.cli.overrides import check_configuration
from seqrec.cli.resumed import check_resumed
from seqrec.cli.run_folders import run_folder, updated_folder
from seqrec.cli.stops import leaving_at_once, stop_of, terminable
from seqrec.cli.sweep import USER_ERROR, fail_job, finished_before, in_sweep
from seqrec.cli.traces import discard, leave_nothing
from seqrec.cli.unwritable import heeded, way_out
from seqrec.reporting.models import text_list
from seqrec.runs.folder import CONFIG, resumable
from seqrec.runs.targets import refuse_foreign


def entry() -> None:
    """Start what the command line of this process asks for: main.py, ``seqrec`` and ``python -m seqrec``."""
    sys.argv[1:], notes = normalise(sys.argv[1:])  # in place: Lightning starts further processes with it
    for note in notes:
        print(note, file=sys.stderr)
    register_resolvers()
    with leaving_at_once():
        key, arguments = explained_key(sys.argv[1:])
        if key is not None:
            show_origin(key, arguments)
            return
        check(arguments)
    with heeded(_refuse):
        hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(run)()


def explained_key(arguments: list[str]) -> tuple[str | None, list[str]]:
    """The key that ``--explain`` asks about, and the other arguments."""
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--explain", nargs="?", const="")
    found, others = parser.parse_known_args(arguments)
    return found.explain, others


def show_origin(key: str, arguments: list[str]) -> None:
    """Print which files and arguments set the value of ``key``."""
    if not key or "=" in key:
        _fail("--explain takes a key, such as --explain data.batch_size")
    flags, _ = get_args_parser().parse_known_args(arguments)
    try:
        overrides, conf, name = _request(flags)
        check_configuration(overrides, False, False, conf, name)
        print("\n".join(explain(key, overrides, conf, name)))
    except ValueError as error:
        _fail(str(error))


def register_resolvers() -> None:
    """Make the functions known that ``config.yaml`` calls as ``${name:...}``."""
    OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)
    OmegaConf.register_new_resolver("updated_folder", updated_folder, replace=True)
    OmegaConf.register_new_resolver("group_list", group_list, replace=True)
    OmegaConf.register_new_resolver("model_list", partial(text_list, CONF.parent), replace=True)


def check(arguments: list[str]) -> None:
    """Refuse a command line that asks for something that is not there, in one line and before Hydra starts.

    Args:
        arguments: of the program, without its name.
    """
    flags, unknown = get_args_parser().parse_known_args(arguments)
    shows_something = flags.help or flags.hydra_help or flags.shell_completion or flags.info
    if (shows_something or flags.cfg) and hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` ends it quietly
    if flags.help:
        skip_lists_of_hydra()
    if shows_something:
        return
    if flags.multirun and flags.cfg:
        _fail("--cfg shows the configuration of one run; leave out -m, or give one value of each list")
    if unknown:
        wrong = unknown[0]
        advice = "write flags before or after all of key=value" if "=" in wrong else f"see {program()} --help"
        if wrong.startswith("-") and "=" in wrong:
            advice = f"values have no dashes: {wrong.lstrip('-')}"
        _fail(f"{wrong} is not understood here; {advice}")
    try:
        overrides, conf, name = _request(flags)
        # Showing a configuration calls nothing, so nothing needs to be imported.
        check_configuration(overrides, flags.multirun, flags.cfg is None, conf, name)
        if flags.cfg is None:
            check_resumed(overrides, flags.multirun)
    except ValueError as error:
        _fail(str(error))
    except YAMLError as error:  # among them the tags of Python objects, which a file may not make
        _fail(f"a configuration file cannot be read: {error}")


def _request(flags: Namespace) -> tuple[list[str], Path, str]:
    """The overrides, the folder of the configuration and the name of its primary file."""
    overrides = list(flags.overrides)
    if flags.config_dir:
        overrides.append(f"hydra.searchpath=['file://{Path(flags.config_dir).resolve()}']")
    conf = Path(flags.config_path) if flags.config_path else CONF
    if not conf.is_dir():
        raise ValueError(f"--config-path {flags.config_path}: there is no such folder")
    return overrides, conf, flags.config_name or "config"


def run(config: DictConfig) -> float | None:
    """Call the configured task.

    A :class:`ValueError`, a missing file or package, what Lightning calls a misconfiguration and a ``RuntimeError``,
    which is what libraries raise for most of what users get wrong, end in one line and exit status 2; with
    ``HYDRA_FULL_ERROR=1`` they keep their traceback, as any other error does. In a sweep the failure is noted and the
    next job runs.
    """
    try:
        # Now that all references can be resolved, also those that only a job knows.
        refuse_foreign(OmegaConf.to_container(config, resolve=True))
        result: float | None = finished_before(config) if in_sweep() else None
        if result is None:
            with terminable():
                result = call(config.task, config, _recursive_=False)
    except (KeyboardInterrupt, SystemExit) as end:
        status = stop_of(end)
        if status is None:
            raise
        _stopped(status)
    except Exception as error:
        node, cause = _cause(error)
        traced = not _for_people(cause) or os.environ.get("HYDRA_FULL_ERROR") == "1"
        hint = (
            f" (HYDRA_FULL_ERROR=1 {program()} ... shows where)"
            if isinstance(cause, RuntimeError | ImportError)
            else ""
        )
        words = _unwritten(cause) if isinstance(cause, OSError) else str(cause)
        message = (f"{node}: {words}" if node else words) + hint
        if in_sweep():
            return fail_job(
                message if _for_people(cause) else f"{type(cause).__name__}: {cause}", cause if traced else None
            )
        if traced:
            raise cause from None
        leave_nothing()
        _fail(message)
    return result


def _unwritten(error: OSError) -> str:
    """What to tell of an error of files during a run."""
    if not HydraConfig.initialized():
        return str(error)
    folder = Path(HydraConfig.get().runtime.output_dir)
    return way_out(error, folder, _resume(folder) if resumable(folder) else None)


def _refuse(message: str, folder: Path | None) -> NoReturn:
    """End where Hydra could not begin a job; ``folder`` may hold a part of what it writes first."""
    if folder is not None:
        discard(folder)
    _fail(message)


def _cause(error: Exception) -> tuple[str, Exception]:
    """The node whose call failed, empty for the task, and the exception that Hydra wrapped."""
    node = ""
    while isinstance(error, InstantiationException) and isinstance(error.__cause__, Exception):
        place = str(error).rpartition("full_key: ")[2] if "full_key: " in str(error) else ""
        node = place if place and place != "task" else node
        error = error.__cause__
    return node, error


def _for_people(error: Exception) -> bool:
    """Whether the message alone tells the user what to change."""
    if isinstance(error, ValueError | OSError | RuntimeError | ModuleNotFoundError | InstantiationException):
        return True
    return type(error).__name__ == "MisconfigurationException"  # by name: importing Lightning takes seconds


def program() -> str:
    """What a user writes to start this command line."""
    name = Path(sys.argv[0]).name
    return {"main.py": "python main.py", "__main__.py": "python -m seqrec"}.get(name, "seqrec")


def _resume(folder: Path) -> str:
    return f"{program()} resume={os.path.relpath(folder)}"


def _stopped(status: int) -> NoReturn:
    folder = Path(HydraConfig.get().runtime.output_dir)
    if getattr(HydraConfig.get(), "output_subdir", "") is None:
        hint = "stopped"  # a task without a folder of its own has nothing to resume
    elif resumable(folder):
        hint = f"stopped; resume with: {_resume(folder)}"
    elif (folder / CONFIG).exists():
        hint = "stopped before the end of the first epoch; there is nothing to resume"
    else:
        leave_nothing()
        hint = "stopped; nothing is left of it, so that the same command begins again"
    if os.environ.get("LOCAL_RANK", "0") == "0":
        print(hint, file=sys.stderr)
    sys.exit(status)


def _fail(message: str) -> NoReturn:
    """End with one line on stderr, from the first process of a group only."""
    if os.environ.get("LOCAL_RANK", "0") == "0":
        print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(USER_ERROR)

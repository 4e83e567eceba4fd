"""The command line: configurations are checked before anything runs, errors for people are one line."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from yaml import YAMLError

from seqrec.cli.aliases import normalise
from seqrec.cli.conf import CONF
from seqrec.cli.explain import explain
from seqrec.cli.help import skip_lists_of_hydra
from seqrec.cli.overrides import check_configuration
from seqrec.cli.reasons import program, reason, resume_command
from seqrec.cli.resolvers import register_resolvers
from seqrec.cli.resumed import check_resumed
from seqrec.cli.stops import leaving_at_once, stop_of, terminable
from seqrec.cli.sweeps.allocation import check_allocation
from seqrec.cli.sweeps.apart import JobFailed, run_apart
from seqrec.cli.sweeps.job import done
from seqrec.cli.sweeps.jobs import USER_ERROR, continued, fail_job, finished_before, forget_failure, in_sweep
from seqrec.cli.traces import discard, leave_nothing
from seqrec.cli.unwritable import heeded
from seqrec.runs.folder import CONFIG, resumable


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
    """Call the configured task; of a job of a sweep in a process of its own, unless it had finished before.

    An error for people ends in one line and exit status 2, see :func:`seqrec.cli.reasons.reason`. In a sweep the
    failure is noted and the next job runs.
    """
    try:
        check_allocation(config)
        if not in_sweep():
            return done(config)
        forget_failure()
        result = finished_before(config)
        if result is None:
            with terminable():
                result = run_apart(config)
    except (KeyboardInterrupt, SystemExit) as end:
        status = stop_of(end)
        if status is None:
            raise
        _stopped(status)
    except JobFailed as error:
        return fail_job(str(error))
    except Exception as error:
        why = reason(error)
        if in_sweep():
            if why.traced:
                traceback.print_exception(why.cause)
            return fail_job(why.in_sweep)
        if why.traced:
            raise why.cause from None
        leave_nothing()
        _fail(why.message)
    return result


def _refuse(message: str, folder: Path | None) -> NoReturn:
    """End where Hydra could not begin a job; ``folder`` may hold a part of what it writes first."""
    if folder is not None:
        discard(folder)
    _fail(message)


def _stopped(status: int) -> NoReturn:
    folder = Path(HydraConfig.get().runtime.output_dir)
    if in_sweep():
        hint = f"stopped; {continued()}"
    elif getattr(HydraConfig.get(), "output_subdir", "") is None:
        hint = "stopped"  # a task without a folder of its own has nothing to resume
    elif resumable(folder):
        hint = f"stopped; resume with: {resume_command(folder)}"
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

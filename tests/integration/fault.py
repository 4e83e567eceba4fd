"""Runs of main.py to which something happens: a process that has imported everything and forks one for each run.

    python tests/integration/fault.py

reads a :class:`Request` a line from stdin, as JSON, and answers each with an :class:`Outcome`. Nothing but imports
happens in the process itself, so that no thread works in it when it forks.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from tests.preloaded import run_program
from tests.remembered import remember_reads

MAIN = Path(__file__).parents[2] / "main.py"
EVENTS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.chmod")
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")} | {"POLARS_MAX_THREADS": "1"}
PACKAGES = ("seqrec.methods", "seqrec.backbones", "seqrec.data.sets", "seqrec.training.callbacks")


@dataclass(frozen=True)
class Request:
    """A run and what happens to it.

    Attributes:
        folder: where it is started.
        arguments: of main.py.
        temporary: folder for temporary files.
        fault: name of a function below; nothing happens where it is empty.
        event: before which event of a file in ``folder``, from 1; 0 where the time counts.
        name: what the paths of those files end with, all of them where it is empty; events of others do not count.
        seconds: of the processor, after which it happens; 0 where events count.
        size: bytes that a file may have from then on.
    """

    folder: str
    arguments: list[str]
    temporary: str
    fault: str = ""
    event: int = 0
    name: str = ""
    seconds: float = 0.0
    size: int = 0


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        status: of its process; negative for the signal that ended it.
        output: what it printed.
        events: of files in its folder, True where one was opened for writing; else one was renamed, linked, removed or
            made.
        seconds: of the processor.
    """

    status: int
    output: str
    events: list[bool]
    seconds: float


def killed(size: int) -> None:
    """Killed at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def terminated(size: int) -> None:
    """Sent SIGTERM, as by a scheduler."""
    os.kill(os.getpid(), signal.SIGTERM)


def full(size: int) -> None:
    """No file can have more than ``size`` bytes any more: writing fails, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def killed_inside_a_write(size: int) -> None:
    """Killed when the next file reaches ``size`` bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
    full(size)


FAULTS: dict[str, Callable[[int], None]] = {f.__name__: f for f in (killed, terminated, full, killed_inside_a_write)}


@contextmanager
def server() -> Iterator[Callable[[Request], Outcome]]:
    """The process; it ends with the context."""
    process = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | ONE_THREAD | {"PYTHONPATH": str(MAIN.parent), "MPLBACKEND": "agg"},
    )  # fmt: skip
    assert process.stdin and process.stdout

    def ask(request: Request) -> Outcome:
        assert process.stdin and process.stdout
        print(json.dumps(asdict(request)), file=process.stdin, flush=True)
        return Outcome(**json.loads(process.stdout.readline()))

    try:
        yield ask
    finally:
        process.stdin.close()
        process.wait(timeout=60)
        process.stdout.close()


def serve() -> None:
    """Import, read the configuration, then answer. Pictures are empty ones, which are drawn at once."""
    remember_reads(pytest.MonkeyPatch())
    for name in ("seqrec.cli.main", "seqrec.tasks.train", "matplotlib.backends.backend_svg"):
        importlib.import_module(name)
    for package in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            importlib.import_module(module.name)
    for model in ("sasrec", "easnrec", "s3rec", "fenrec", "bert4rec"):  # what it remembers of the files serves all runs
        importlib.import_module("seqrec.cli.main").check([f"model={model}"])
    for picture in ("comparison", "curves", "slices"):
        setattr(importlib.import_module("seqrec.reporting.figures"), picture, _empty)
    for line in sys.stdin:
        print(json.dumps(asdict(_forked(Request(**json.loads(line))))), flush=True)


def _empty(*_: object, **__: object) -> Figure:
    figure = Figure(figsize=(1, 1))
    figure.subplots().set_axis_off()
    return figure


def _forked(request: Request) -> Outcome:
    """Run in a child; what it prints and how many events there were come back through pipes."""
    if threading.active_count() > 1:  # those of Polars and its memory sleep until it computes, and are not seen here
        raise RuntimeError("a process with several threads at work cannot be forked safely")
    (output, output_end), (events, events_end) = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        os.dup2(output_end, 1)
        os.dup2(output_end, 2)
        for end in (output, output_end, events):
            os.close(end)
        _run(request, events_end)
    for end in (output_end, events_end):
        os.close(end)
    with os.fdopen(output, errors="replace") as printed:
        text = printed.read()
    with os.fdopen(events) as counted:
        seen = counted.read()
    _, status, usage = os.wait4(child, 0)
    return Outcome(os.waitstatus_to_exitcode(status), text, json.loads(seen or "[]"), usage.ru_utime + usage.ru_stime)


def _run(request: Request, events: int) -> None:
    """Be main.py; never returns."""
    os.chdir(request.folder)
    os.environ["TMPDIR"], tempfile.tempdir = request.temporary, None
    seen = _set_trap(request)
    run_program([str(MAIN), *request.arguments], lambda: os.write(events, json.dumps(seen).encode()))


def _set_trap(request: Request) -> list[bool]:
    """Have the fault happen; the list that is returned gets the events, see :class:`Outcome`."""
    seen: list[bool] = []
    fault = FAULTS.get(request.fault)

    def count(event: str, values: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(values[2], int) and bool(values[2] & (os.O_WRONLY | os.O_RDWR))
        if not (writes or event in EVENTS) or isinstance(values[0], int):
            return
        path = os.path.abspath(os.fsdecode(values[0]))
        if path.startswith(request.folder) and path.endswith(request.name):
            seen.append(writes)
            if len(seen) == request.event and fault is not None:
                fault(request.size)

    sys.addaudithook(count)
    if request.seconds and fault is not None:
        signal.signal(signal.SIGPROF, lambda *_: fault(request.size))
        if fault is killed:  # whatever the process is at, also where Python would not hear of it
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, request.seconds)
    return seen


if __name__ == "__main__":
    serve()

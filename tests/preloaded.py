"""Python as a shell finds it, but for its start: a process that has imported the libraries is forked for each program.

    python tests/preloaded.py --serve SOCKET
    python tests/preloaded.py SOCKET program.py arguments

The first imports them and does nothing else; the second has it run a program, with its own folder, variables and
streams, and ends as the program does. Nothing of seqrec is imported before the program does so itself.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

LIBRARIES = (
    "filelock", "hydra", "matplotlib.backends.backend_svg", "matplotlib.figure", "polars", "pydantic",
    "pytorch_lightning", "rich.progress", "tabulate", "torch", "torchmetrics",
)  # fmt: skip


def ask(place: str, words: list[str]) -> int:
    """Have the server at ``place`` run ``words``, a program and its arguments; the exit status."""
    request = json.dumps({"words": words, "folder": os.getcwd(), "variables": dict(os.environ)}).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(place)
        socket.send_fds(connection, [b"."], [0, 1, 2])
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return int(connection.recv(16) or 1)


def serve(place: str) -> None:
    """Answer one request after the other until the server is terminated."""
    import importlib

    for library in LIBRARIES:
        importlib.import_module(library)
    sys.path.pop(0)  # this file's folder
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(place)
        server.listen()
        print("ready", flush=True)
        while True:
            with server.accept()[0] as connection:
                _, streams, *_ = socket.recv_fds(connection, 1, 3)
                with connection.makefile() as text:
                    request = json.load(text)
                child = os.fork()
                if not child:
                    _become(request, streams)
                for stream in streams:
                    os.close(stream)
                connection.sendall(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """Be the program in a child; never returns."""
    words, variables = request["words"], request["variables"]
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(variables)
    own = [path for path in variables.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = [os.path.dirname(os.path.abspath(words[0])), *map(os.path.abspath, own)]
    run_program(words)


def run_program(words: list[str], end: Callable[[], object] = lambda: None) -> None:
    """Be the program ``words[0]`` with the arguments that follow, in a forked process; never returns.

    Args:
        words: the program and its arguments.
        end: is called last.
    """
    import atexit
    import runpy
    import traceback

    status, sys.argv = 1, list(words)
    try:
        runpy.run_path(words[0], run_name="__main__")
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        end()
        os._exit(status)


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(sys.argv[2])
    sys.exit(ask(sys.argv[1], sys.argv[2:]))

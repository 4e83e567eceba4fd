"""A job of a sweep in a process of its own: nothing of it is left for the next job, and its crash ends no other."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

REQUEST, OUTCOME = "request.pkl", "outcome.json"

PROCESS = [sys.executable, "-P", "-m", "seqrec.cli.sweeps.job"]
"""What runs a job, before the file that says which; see :mod:`seqrec.cli.sweeps.job`."""


class JobFailed(Exception):
    """A job has no result; the message says why, in one line."""


def run_apart(config: DictConfig) -> float | None:
    """Call the task of a job in a new process, whatever launcher called this.

    Args:
        config: of the job, without Hydra's own, which is read from what Hydra has set.

    Returns:
        What the task returned.

    Raises:
        JobFailed: it raised an error, or its process ended without a result.
    """
    with TemporaryDirectory(prefix="seqrec-job-") as folder:
        # As plain values: the classes of plugins' configurations cannot be found again by another process.
        hydra = OmegaConf.create(OmegaConf.to_container(HydraConfig.instance().cfg))
        hydra.hydra.run.dir = hydra.hydra.runtime.output_dir  # by which Lightning starts further processes of the job
        request = {"config": config, "hydra": hydra, "program": sys.argv[0]}
        (Path(folder) / REQUEST).write_bytes(pickle.dumps(request))
        status = _wait(Path(folder))
        outcome = Path(folder) / OUTCOME
        told: dict[str, Any] = json.loads(outcome.read_text(encoding="utf-8")) if outcome.exists() else {}
    if "result" in told:
        result: float | None = told["result"]
        return result
    raise JobFailed(told.get("failed") or _end(status))


def _wait(folder: Path) -> int:
    """The status of the process once it has ended; whatever ends this one ends it first."""
    own = os.environ | {"PYTHONPATH": os.pathsep.join(dict.fromkeys(path for path in sys.path if path))}
    # The pipe is never written to: its end tells the process that this one was killed.
    process = subprocess.Popen([*PROCESS, str(folder)], stdin=subprocess.PIPE, env=own)
    try:
        return process.wait()
    except KeyboardInterrupt:  # which the terminal sent to both
        process.wait()
        raise
    except BaseException:
        process.terminate()
        process.wait()
        raise
    finally:
        if process.stdin:
            process.stdin.close()


def _end(status: int) -> str:
    """Why a process ended that left no word."""
    number = -status if status < 0 else status - 128  # of the signal, which a shell or a stopped run adds to 128
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"its process ended with status {status}"
    hint = ", as a system does that runs out of memory" if number == signal.SIGKILL else ""
    return f"its process was ended by {name}{hint}"

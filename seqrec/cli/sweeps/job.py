"""What the process of one job runs: ``python -m seqrec.cli.sweeps.job FOLDER``, see :mod:`seqrec.cli.sweeps.apart`."""

from __future__ import annotations

import json
import os
import pickle
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import configure_log, setup_globals
from hydra.utils import call
from omegaconf import DictConfig, OmegaConf

from seqrec.cli.reasons import reason
from seqrec.cli.resolvers import register_resolvers
from seqrec.cli.stops import TERMINATED, stop_of, terminable
from seqrec.cli.sweeps.apart import OUTCOME, REQUEST
from seqrec.runs.targets import refuse_foreign

LEFT_ALONE = 1  # exit status where the process that asked has ended


def main(folder: Path) -> None:
    """Call the task that was asked for and leave its result, or why there is none, in ``folder``."""
    threading.Thread(target=_end_with_the_asker, daemon=True).start()
    setup_globals()
    Plugins.instance()  # which makes known how configuration files are found
    register_resolvers()
    request = pickle.loads((folder / REQUEST).read_bytes())
    sys.argv[0] = request["program"]
    HydraConfig.instance().cfg = request["hydra"]
    hydra: DictConfig = request["hydra"].hydra
    configure_log(hydra.job_logging, hydra.verbose)
    try:
        outcome = outcome_of(request["config"])
    except (KeyboardInterrupt, SystemExit) as end:
        sys.exit(stop_of(end) or TERMINATED)
    if len(sys.argv) == 2:  # not where Lightning began this one, as another process of the same job
        (folder / OUTCOME).write_text(json.dumps(outcome), encoding="utf-8")


def outcome_of(config: DictConfig) -> dict[str, Any]:
    """``result`` of the task, or why it ``failed``."""
    try:
        return {"result": done(config)}
    except Exception as error:
        why = reason(error)
        if why.traced:
            traceback.print_exception(why.cause)
        return {"failed": why.in_sweep}


def done(config: DictConfig) -> float | None:
    """Call the task, now that all references can be resolved, also those that only a job knows.

    Raises:
        ValueError: one leads to what may not be called.
    """
    refuse_foreign(OmegaConf.to_container(config, resolve=True))
    with terminable():
        result: float | None = call(config.task, config, _recursive_=False)
    return result


def _end_with_the_asker() -> None:
    """End at once where the process that asked was killed: nobody would know of the result, and others may resume."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(LEFT_ALONE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

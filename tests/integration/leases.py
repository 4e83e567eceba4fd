"""A task that only looks at its GPU: what it sees, and from when to when."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

SECONDS = 1.0
KILLED = 1
"""Number of the job that is killed."""


def lease(config: DictConfig) -> float:
    """Hold a device for a while and note it in the folder of the job."""
    hydra = HydraConfig.get()
    begin = time.time()
    if hydra.job.num == KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(SECONDS)
    seen = {"device": os.environ.get("CUDA_VISIBLE_DEVICES"), "begin": begin, "end": time.time()}
    (Path(hydra.runtime.output_dir) / "lease.json").write_text(json.dumps(seen))
    return 0.0

"""python main.py model=<name> data=<name>: compose the configuration, check it, run one task."""

from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from seqrec.cli.main import check, run


@hydra.main(config_path="conf", config_name="config", version_base="1.3")
def main(config: DictConfig) -> float | None:
    """Run the task that the configuration names; returns the best validation metric for sweepers."""
    return run(config)


if __name__ == "__main__":
    check(sys.argv[1:])
    main()

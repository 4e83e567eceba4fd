"""check_data: what is in a log that decides how far numbers measured on it can be trusted."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig

from seqrec.data.checks.findings import figures, findings
from seqrec.data.checks.log import observed
from seqrec.data.datamodule import SequenceDataModule
from seqrec.reporting.data_check import show, store

FAULTS = 3
"""Exit status where a check is beyond the limit of what numbers can be relied on."""


def check_data(
    config: DictConfig, folder: str, known_as: str, limits: Mapping[str, float], faults: Sequence[str]
) -> None:
    """Read the log of ``data=``, show and store what the checks find; ends with status 3 where there is a fault.

    The source is read, not its prepared form in the cache, which has no times.

    Args:
        config: the whole configuration, of which data, windows and seed count.
        folder: where all figures, tables and the picture are written.
        known_as: name of a data set whose sizes were published.
        limits: of each check.
        faults: checks that are faults beyond their limits; the others are warnings.

    Raises:
        ValueError: the data cannot be read, an option is not understood, or in a sweep there is a fault.
    """
    data: SequenceDataModule = instantiate(config.data)
    source = data.source()
    read = partial(data.read, source)  # type: ignore[arg-type]  # computed data have no source
    log = observed(read, data.split.divide)
    found = figures(log, data.seed, data.max_length, known_as)
    judged = findings(found, limits, faults)
    place = Path(folder).expanduser()
    store(place, data.name, found, judged)
    show(place, data.name, found, judged)
    beyond = [one.name for one in judged if one.verdict == "fault"]
    if beyond and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise ValueError(f"data={data.name} is not to be relied on: {', '.join(beyond)}")
    if beyond:
        sys.exit(FAULTS)

"""A run that is about to train: its folder, its complete configuration, its data and how it is judged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.summary import summary
from seqrec.metrics import Protocol
from seqrec.runs.files import remove_partial
from seqrec.runs.folder import FIRST_STAGE, LAST, METRICS, holds_run, resumable
from seqrec.runs.lock import locked
from seqrec.runs.processes import is_first
from seqrec.training.build import load_data
from seqrec.training.callbacks.screen import console
from seqrec.training.catalog import with_catalog
from seqrec.training.cut_epochs import return_to_whole_epochs
from seqrec.training.resume import stored_or_given
from seqrec.training.start_check import check_evaluated, check_values
from seqrec.training.strategies import check_accelerator, check_strategy


@dataclass(frozen=True)
class Run:
    """What all stages of a run share.

    Attributes:
        folder: Hydra's output folder.
        config: complete and read-only; of a resumed run the stored one.
        data: prepared.
        protocol: how validation and test rank.
        begins: it has trained nothing before.
    """

    folder: Path
    config: DictConfig
    data: SequenceDataModule
    protocol: Protocol
    begins: bool


@contextmanager
def own_folder(config: DictConfig) -> Iterator[None]:
    """Have the run's folder for this process, and the others of its group, alone.

    Raises:
        ValueError: another process is in it, or it holds another run.
    """
    folder = Path(HydraConfig.get().runtime.output_dir)
    if not is_first():
        yield
        return
    with locked(folder):
        if config.resume is None and holds_run(folder):
            raise ValueError(
                f"{folder} holds a run already; resume={os.path.relpath(folder)} continues it, another "
                "hydra.run.dir=... (of a sweep hydra.sweep.dir=...) starts a new one"
            )
        yield


def open_run(config: DictConfig) -> Run:
    """Read the data, say what they are, and complete the configuration with their sizes.

    Nothing is written unless a run is resumed: what a budget cut is taken back, with its results, once all else is
    known to be right.

    Args:
        config: as composed by Hydra.

    Raises:
        ValueError: the run to resume is not there or another one, its values do not fit one another, or the data
            cannot be used.
    """
    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    known = stored_or_given(config, list(hydra.overrides.task), folder).copy()
    check_accelerator(known.trainer)
    check_strategy(known)
    begins = known.resume is None or not resumable(folder)
    known.name = known.name or hydra.runtime.choices["model"]
    protocol = check_values(known)
    data = load_data(known.data)
    if is_first():
        show_data(data)
    check_evaluated(data)
    complete = with_catalog(known, data)
    OmegaConf.resolve(complete)
    OmegaConf.set_readonly(complete, True)
    if known.resume is not None and is_first():
        _tidy(folder)
    return Run(folder, complete, data, protocol, begins)


def show_data(data: SequenceDataModule) -> None:
    """Say what the prepared data are."""
    first, *others = summary(data.name, data.sequences, data.splits)
    console.print(f"data    {first}", soft_wrap=True)
    for line in others:
        console.print(f"        {line}", soft_wrap=True)


def _tidy(folder: Path) -> None:
    """Remove what was half-written or cut in both stages; a first stage with a result has ended and stays as it is."""
    for stage in (folder, folder / FIRST_STAGE):
        remove_partial(stage)
        remove_partial((stage / LAST).parent)
    return_to_whole_epochs(folder)
    if not (folder / FIRST_STAGE / METRICS).exists():
        return_to_whole_epochs(folder / FIRST_STAGE)


def plain(config: DictConfig) -> dict[str, Any]:
    """A configuration as plain values, with references resolved."""
    return dict(OmegaConf.to_container(config, resolve=True))  # type: ignore[arg-type]

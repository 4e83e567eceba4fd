"""Two epochs, and one that is resumed for another: the same weights?"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from omegaconf import DictConfig
from torch import Tensor

from seqrec.methods.checkpoint import read_checkpoint
from seqrec.runs.folder import LAST
from seqrec.training.build import build, load_data
from seqrec.training.catalog import with_catalog
from seqrec.training.fit import fit
from tests.device.audit import SEEN_REMOVED
from tests.device.configurations import small
from tests.gpu.place import Place
from tests.gpu.report import Row


def rows(place: Place) -> Iterator[Row]:
    """Of a model with dropout and one with several networks."""
    for name in ("sasrec", "easnrec")[: place.sized(2, 1)]:
        config = small(name, place.cache_dir, *place.trainer)
        with TemporaryDirectory() as folder, place.active(), redirect_stdout(io.StringIO()):
            unbroken = weights_after(config, Path(folder) / "unbroken", [2])
            resumed = weights_after(config, Path(folder) / "resumed", [1, 2])
        difference = max(float((resumed[key] - value).abs().max()) for key, value in unbroken.items())
        yield {"model": name, "largest difference of a weight": difference, "equal": difference == 0.0}


def weights_after(config: DictConfig, folder: Path, epochs: list[int]) -> dict[str, Tensor]:
    """Floating-point weights of the last checkpoint of a training that is stopped and resumed after these epochs."""
    folder.mkdir()
    for last in epochs:
        data = load_data(config.data)
        known = with_catalog(config, data)
        known.resume = str(folder)
        known.trainer.max_epochs = last
        fit(build(known.model, SEEN_REMOVED, known.seed), data, known, folder)
    state: dict[str, Tensor] = read_checkpoint(folder / LAST)["state_dict"]
    return {key: value for key, value in state.items() if torch.is_floating_point(value) and value.numel()}

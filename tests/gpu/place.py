"""Where the script runs: on a GPU, on the emulated one, or on the CPU, with the same parts."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from tests.device.configurations import EMULATED
from tests.device.emulation import Emulation
from tests.device.record import Record
from tests.device.tensor import device as emulated_device

Kind = Literal["cuda", "emulated", "cpu"]
TRAINER = {"cuda": ["trainer=gpu"], "emulated": EMULATED, "cpu": ["trainer=cpu"]}


@dataclass(frozen=True)
class Place:
    """A device to run on.

    Attributes:
        kind: of device.
        small: reduced sizes.
        cache_dir: of prepared data.
    """

    kind: Kind
    small: bool
    cache_dir: Path

    @property
    def device(self) -> torch.device:
        return emulated_device() if self.kind == "emulated" else torch.device(self.kind)

    @property
    def trainer(self) -> list[str]:
        """Words of the command line that have a run take place here."""
        return TRAINER[self.kind]

    def sized(self, whole: int, small: int) -> int:
        return small if self.small else whole

    def wait(self) -> None:
        """Until the device has done all that it was given."""
        if self.kind == "cuda":
            torch.cuda.synchronize()

    @contextmanager
    def active(self) -> Iterator[Record]:
        """The emulation, where this place is emulated, and what it notes."""
        if self.kind == "emulated":
            with Emulation() as emulation:
                yield emulation.record
        else:
            yield Record()

    @contextmanager
    def watched(self) -> Iterator[Record]:
        """The same, with what CUDA itself says of waits."""
        with self.active() as record:
            if self.kind == "cuda":
                with cuda_waits(record):
                    yield record
            else:
                yield record

    def seconds(self, function: Callable[[], Any], repeats: int, warm: int = 3) -> float:
        """Median wall seconds of a call, the device's work included."""
        found = []
        for _ in range(warm + repeats):
            self.wait()
            start = time.perf_counter()
            function()
            self.wait()
            found.append(time.perf_counter() - start)
        return sorted(found[warm:])[repeats // 2]


@contextmanager
def cuda_waits(record: Record) -> Iterator[None]:
    """CUDA warns of each synchronising operation."""

    def note(message: Any, *_: Any, **__: Any) -> None:
        if "synchroniz" in str(message):
            record.wait("a wait")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")

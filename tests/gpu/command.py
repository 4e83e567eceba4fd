"""The command line of ``python -m tests.bench.gpu``, and the deadlines of its parts."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from seqrec.training.process import silence_libraries
from tests.gpu import clusters, crowd, entropy, ladder, machine, models, resumed, steps
from tests.gpu.place import Place
from tests.gpu.report import Row, Section, write


@dataclass(frozen=True)
class Part:
    """Of the script; ``seconds`` is its deadline."""

    title: str
    rows: Callable[[Place], Iterator[Row]]
    seconds: int


PARTS = [
    Part("The machine", machine.rows, 20),
    Part("Every model: losses and waits", models.rows, 90),
    Part("A training step", steps.rows, 150),
    Part("The ladder of remedies", ladder.rows, 120),
    Part("Cross entropy over all items", entropy.rows, 60),
    Part("Clusters and a validation", clusters.rows, 30),
    Part("Several processes on one device", crowd.rows, 80),
    Part("Resumed and unbroken", resumed.rows, 20),
]


class Late(Exception):
    """The deadline of a part has passed."""


def main(words: list[str], description: str) -> None:
    """Run the parts and print their tables."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "emulated", "cpu"], default="cuda")
    parser.add_argument("--small", action="store_true", help="reduced sizes: does it run?")
    parser.add_argument("--parts", type=int, nargs="+", choices=range(len(PARTS)), default=list(range(len(PARTS))))
    parser.add_argument("--out", type=Path, default=Path("multirun/bench/gpu"), help="folder of gpu.json and gpu.md")
    parser.add_argument("--scale", type=float, default=1.0, help="of all deadlines")
    parser.add_argument("--cache", type=Path, help="folder of prepared data; within --out by default")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(words)
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: PyTorch finds no GPU here; choose --device emulated or cpu")
    silence_libraries()
    place = Place(given.device, given.small, (given.cache or given.out / "cache").resolve())
    if given.worker:
        crowd.work(place)
        return
    facts = {"device": given.device, "small": given.small, "torch": torch.__version__}
    sections: list[Section] = []
    for number in given.parts:
        part = PARTS[number]
        section = Section(number, part.title)
        sections.append(section)
        run(part, place, section, part.seconds * given.scale)
        write(sections, facts, given.out)
        print(section.markdown(), flush=True)
    print(f"stored in {given.out / 'gpu.json'} and {given.out / 'gpu.md'}")


def run(part: Part, place: Place, section: Section, seconds: float) -> None:
    """Fill a section until the part ends, fails or is late."""
    start = time.perf_counter()
    torch.use_deterministic_algorithms(False)  # a training of the part before may have left it on
    try:
        with deadline(seconds):
            for row in part.rows(place):
                section.rows.append(row)
    except Late:
        section.ended = f"stopped at its deadline of {seconds:g} s"
    except Exception as error:
        section.ended = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    section.seconds = time.perf_counter() - start


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise :class:`Late` in this block once so many seconds have passed."""

    def late(number: int, frame: FrameType | None) -> Any:
        raise Late

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


if __name__ == "__main__":
    main(sys.argv[1:], __doc__ or "")

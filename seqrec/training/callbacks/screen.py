"""Where progress is shown: lines of a terminal that are drawn anew, or a plain line now and then."""

from __future__ import annotations

import time

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from seqrec.training.callbacks.pace import Phase, duration

console = Console(highlight=False, markup=False)
REDRAWN = 0.25  # seconds; looking at the loss more often would make a GPU wait
WIDEST, NARROWEST = 40, 6  # columns of a bar; where there is less room there is none


class Screen:
    """One thing at a time is shown here.

    Args:
        draws: draw lines anew; if not, they are printed.
        line_seconds: between two lines that are printed.
    """

    def __init__(self, draws: bool, line_seconds: float) -> None:
        self.interval = REDRAWN if draws else line_seconds
        self.live = Live(console=console, auto_refresh=False) if draws else None
        self.shown = time.perf_counter() - (REDRAWN if draws else 0)
        if self.live is not None:
            self.live.start()

    def due(self) -> bool:
        """Whether it is time to show something again."""
        return time.perf_counter() - self.shown >= self.interval

    def show(self, epoch: str, left: str, what: str, phase: Phase, details: str = "", result: str = "") -> None:
        """Show where a phase is.

        Args:
            epoch: that it is a part of; empty outside a training.
            left: of the whole training.
            what: its batches are.
            phase: as far as it is.
            details: of the last batch.
            result: of the last epoch.
        """
        self.shown = time.perf_counter()
        state, pace = _state(what, phase), ", ".join(part for part in (details, *_pace(phase)) if part)
        if self.live is None:
            place = ", ".join(part for part in (epoch, state, pace) if part)
            console.print("; ".join(part for part in (place, left) if part), soft_wrap=True)
            return
        heading = ", ".join(part for part in (epoch, left) if part)
        rows = [*([Text(heading)] if heading else []), _row(state, phase, pace), *([Text(result)] if result else [])]
        self.live.update(Group(*rows), refresh=True)

    def close(self, leave: bool = True) -> None:
        """Give the terminal back, with or without what was shown last."""
        if self.live is not None:
            self.live.transient = not leave
            self.live.stop()


def _state(what: str, phase: Phase) -> str:
    return f"{what} {phase.done}" + (f" of {phase.total:.0f}" if phase.known else "")


def _pace(phase: Phase) -> list[str]:
    """Batches a second and the time to the end of the phase."""
    if not phase.rate:
        return []
    speed = f"{phase.rate:.1f} batches/s" if phase.rate >= 1 else f"{1 / phase.rate:.1f} s/batch"
    return [speed] if phase.left is None else [speed, f"{duration(phase.left)} left"]


def _row(state: str, phase: Phase, pace: str) -> Table | Text:
    """State, bar and pace side by side."""
    width = min(console.width - len(state) - len(pace) - 4, WIDEST)
    if not phase.known or width < NARROWEST:
        return Text(f"{state}  {pace}")
    row = Table.grid(padding=(0, 2, 0, 0))
    row.add_row(state, ProgressBar(total=phase.total, completed=phase.done, width=width), pace)
    return row

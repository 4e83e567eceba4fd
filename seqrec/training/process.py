"""What a process is set to before it trains."""

from __future__ import annotations

import logging
import warnings

import torch


def prepare_process() -> None:
    """Silence what no user can act on, and take denormal numbers, those below 1.2e-38, for 0.

    A weight that only decays, as those of Caser's longest filters where histories are short, and the moments of a
    weight without a gradient become that small, and products with them take many times as long. Threads take the mode
    over from the one that makes them, so this is called before the first large operator.
    """
    silence_libraries()
    torch.set_flush_denormal(True)


def silence_libraries() -> None:
    """Keep Lightning's hints and warnings that no user can act on off the screen."""
    for name in ("pytorch_lightning", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
        logging.getLogger(f"{name}.utilities.rank_zero").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning|torch|lightning_fabric")

"""What a process is set to before it trains."""

from __future__ import annotations

import logging
import warnings

import torch


def prepare_process() -> None:
    """Silence what no user can act on, and take what is all but 0 for 0; call it before the first large operator."""
    silence_libraries()
    flush_denormals()


def silence_libraries() -> None:
    """Keep Lightning's hints and warnings that no user can act on off the screen."""
    for name in ("pytorch_lightning", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
        logging.getLogger(f"{name}.utilities.rank_zero").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning|torch|lightning_fabric")


def flush_denormals() -> None:
    """Take numbers below 1.2e-38 for 0, on processors that can; torch's threads take it over when they are made.

    A weight that only decays, as those of Caser's longest filters where histories are short, and the moments of a
    weight without a gradient become that small. Products with them take many times as long: Caser's step on Beauty took
    eight times as long in its fourth epoch as in its first.
    """
    torch.set_flush_denormal(True)

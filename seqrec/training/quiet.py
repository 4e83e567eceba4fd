"""What Lightning prints that no user can act on stays off the screen."""

from __future__ import annotations

import logging
import warnings


def silence_libraries() -> None:
    """Keep Lightning's hints and warnings that no user can act on off the screen."""
    for name in ("pytorch_lightning", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
        logging.getLogger(f"{name}.utilities.rank_zero").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning|torch|lightning_fabric")

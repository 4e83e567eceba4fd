"""Plugins that tests may do without: Ray takes longer to install than all others together."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import pytest

OF_RAY = ("launcher=gpus", "launcher=ray")


def skip_without_plugin(words: Sequence[str]) -> None:
    """Skip a test of a command line whose launcher is not installed."""
    if any(word in words for word in OF_RAY) and find_spec("hydra_plugins.hydra_ray_launcher") is None:
        pytest.skip('needs pip install "seqrec[ray]"')

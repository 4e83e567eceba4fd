"""A finished run as a model that recommends."""

from __future__ import annotations

from pathlib import Path

from seqrec.inference.engine import TorchEngine
from seqrec.inference.load import load
from seqrec.serving.frames import FrameModel


def recommender(folder: str | Path, device: str = "cpu") -> FrameModel:
    """What :func:`seqrec.load` gives for a run.

    Args:
        folder: of a finished run.
        device: where the model works.

    Raises:
        ValueError: as :func:`seqrec.inference.load`; a run of an older version that did not store the raw ids.
    """
    scorer = load(folder, device)
    catalog, users = scorer.catalog, scorer.users.raw.to_list() if scorer.model.knows_users else None
    return FrameModel(
        TorchEngine(scorer),
        catalog.raw.to_list(),
        catalog.count.numpy(),
        scorer.model.protocol.remove_seen,
        scorer.name,
        users,
    )

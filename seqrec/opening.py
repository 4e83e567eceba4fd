"""``seqrec.load``: a trained model, ready to recommend, from its folder alone."""

from __future__ import annotations

from pathlib import Path

from seqrec.serving.frames import FrameModel


def load(path: str | Path, device: str = "cpu") -> FrameModel:
    """A trained model, ready to recommend: ``seqrec.load(path).recommend([["a", "b"]])``.

    Args:
        path: folder of a finished run.
        device: where the model works, such as ``cuda``.

    Raises:
        ValueError: there is no finished run, or one of an older version that lacks what is needed.
    """
    from seqrec.inference.recommender import recommender  # it loads torch, which takes seconds

    return recommender(path, device)

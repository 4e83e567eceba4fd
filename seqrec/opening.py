"""``seqrec.load``: a trained model, ready to recommend, from its folder alone."""

from __future__ import annotations

from pathlib import Path

from seqrec.serving.bundle import CARD, read_bundle
from seqrec.serving.frames import FrameModel


def load(path: str | Path, device: str = "cpu") -> FrameModel:
    """A trained model, ready to recommend: ``seqrec.load(path).recommend([["a", "b"]])``.

    Args:
        path: folder of a finished run, or of a bundle, which needs no torch.
        device: where the model of a run works, such as ``cuda``; a bundle works on the CPU.

    Raises:
        ValueError: there is neither, a run of an older version that lacks what is needed, or a damaged bundle.
    """
    if (Path(path) / CARD).exists():
        if device != "cpu":
            raise ValueError(f"{path} is a bundle, which works on the CPU; leave out the device, or load the run")
        return FrameModel(**read_bundle(path))
    from seqrec.inference.recommender import recommender  # it loads torch, which takes seconds

    return recommender(path, device)

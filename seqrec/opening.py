"""``seqrec.load``: a trained model, ready to recommend, from its folder alone."""

from __future__ import annotations

from pathlib import Path

from seqrec.serving.bundle import CARD, read_bundle
from seqrec.serving.frames import FrameModel


def load(path: str | Path, device: str = "cpu", index: str = "exact") -> FrameModel:
    """A trained model, ready to recommend: ``seqrec.load(path).recommend([["a", "b"]])``.

    Args:
        path: folder of a finished run, or of a bundle, which needs no torch.
        device: where the model of a run works, such as ``cuda``; a bundle works on the CPU.
        index: ``exact`` scores all items. For a million of them ``int8`` reads their vectors in 8 bits, and ``ivf``,
            which needs ``pip install 'seqrec[index]'``, only those near to what is asked for;
            ``load(...).index_recall(histories)`` says what share of the exact lists they find.

    Raises:
        ValueError: there is neither, a run of an older version that lacks what is needed, or a damaged bundle; another
            index, or one for a model without vectors of items.
    """
    model = _exact(path, device)
    if index == "exact":
        return model
    from seqrec.serving.index.model import IndexedModel

    return IndexedModel(model, index)


def _exact(path: str | Path, device: str) -> FrameModel:
    """A model that scores all items."""
    if (Path(path) / CARD).exists():
        if device != "cpu":
            raise ValueError(f"{path} is a bundle, which works on the CPU; leave out the device, or load the run")
        return FrameModel(**read_bundle(path))
    from seqrec.inference.recommender import recommender  # it loads torch, which takes seconds

    return recommender(path, device)

"""serve: a trained model behind HTTP, until it is stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig

from seqrec import __version__
from seqrec.opening import load
from seqrec.serving.service.limits import Limits, check_installed


def serve(
    config: DictConfig, bundle: str, host: str, port: int, device: str, index: str, limits: Mapping[str, float]
) -> None:
    """Answer requests with the model of a bundle or a run.

    Args:
        config: the whole configuration, of which the task alone counts.
        bundle: folder of a bundle or of a finished run.
        host: address that is listened on.
        port: that is listened on; 0: any that is free.
        device: where the model of a run works.
        index: how the best items are found, see :func:`seqrec.load`.
        limits: see :class:`~seqrec.serving.service.limits.Limits`.

    Raises:
        ValueError: what is wrong with the folder, the address or a limit, or which package is missing.
    """
    check_installed()
    within = Limits.of(limits)
    from seqrec.serving.service.lines import Lines  # what the extra has brought
    from seqrec.serving.service.server import listening, run

    with listening(host, port) as sock:  # before the model, whose loading takes seconds
        run(load(Path(bundle).expanduser(), device, index), within, __version__, sock, Lines())

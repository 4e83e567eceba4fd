"""How checkpoints are written and read: whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from seqrec.methods.checkpoint import read_checkpoint
from seqrec.runs.files import replacing


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it, so that a kill or a full disk leaves the one before.

    Lightning writes to the folder for temporary files, from where a move to another file system is a copy.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write ``checkpoint``.

        Raises:
            OSError: it cannot be written; what was at ``path`` before is still there.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial, partial.open("wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:  # of torch's writer, which hides that of the disk and the end by a signal
                hidden = error.__context__
                known = isinstance(hidden, OSError | KeyboardInterrupt | SystemExit)
                raise (hidden if hidden is not None and known else error) from None

    def load_checkpoint(
        self, path: str | Path, map_location: Callable[..., Any] | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """What :meth:`save_checkpoint` wrote, on the CPU unless ``map_location`` says otherwise.

        Raises:
            ValueError: it is no checkpoint, half of one, or one that holds more than numbers and plain values.
        """
        return read_checkpoint(Path(path), map_location or "cpu")

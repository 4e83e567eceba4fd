"""MVS: its training procedure and the losses that no other model has."""

from seqrec.methods.mvs.mvs import MVS

__all__ = ["MVS"]

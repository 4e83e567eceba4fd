"""EASNRec: its training procedure and the parts that no other model has."""

from seqrec.methods.easnrec.easnrec import EASNRec

__all__ = ["EASNRec"]

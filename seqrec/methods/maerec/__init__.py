"""MAERec: its training procedure and the parts that no other model has."""

from seqrec.methods.maerec.maerec import MAERec

__all__ = ["MAERec"]

"""xLSTM-LSR's encoder and its blocks."""

from seqrec.backbones.xlstm.xlstm import XLSTM

__all__ = ["XLSTM"]

"""BSARec's encoder and its blocks."""

from seqrec.backbones.bsarec.bsarec import BSARec

__all__ = ["BSARec"]

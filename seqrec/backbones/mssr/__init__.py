"""MSSR's encoder and its pairwise scores."""

from seqrec.backbones.mssr.mssr import MSSREncoder

__all__ = ["MSSREncoder"]

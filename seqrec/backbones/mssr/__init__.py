"""MSSR's encoder and its pairwise scores."""

from seqrec.backbones.mssr.mssr import MSSR

__all__ = ["MSSR"]

"""Caser's encoder and its filters."""

from seqrec.backbones.caser.caser import Convolutions

__all__ = ["Convolutions"]

"""Caser's encoder and its filters."""

from seqrec.backbones.caser.caser import CaserEncoder

__all__ = ["CaserEncoder"]

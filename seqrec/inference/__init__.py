"""Finished runs put to use: their folder alone gives a model that scores histories."""

from seqrec.inference.load import load
from seqrec.inference.scorer import Scorer

__all__ = ["Scorer", "load"]

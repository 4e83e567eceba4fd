"""seqrec: sequential recommendation, every model equal to its original, all judged under one protocol."""

__version__ = "0.1.0"

"""LRURec's encoder and its linear recurrent unit."""

from seqrec.backbones.lru.lru import LRU

__all__ = ["LRU"]

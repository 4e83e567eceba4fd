"""What methods with a contrast of two views share."""

from seqrec.methods.contrastive.contrasts import (
    HardNegativeContrast,
    InBatchContrast,
    Pair,
    PairContrast,
    PrintedContrast,
)

__all__ = ["HardNegativeContrast", "InBatchContrast", "Pair", "PairContrast", "PrintedContrast"]

"""EpochMeans: what the steps of an epoch log, summed where it is and sent once.

Telling Lightning of four terms costs a host about 3 ms, which is more than a step of most models costs a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from seqrec.functional.precision import at_least_float


class EpochMeans:
    """Means over examples of named scalars; steps may differ in their names."""

    def __init__(self) -> None:
        self.sums: dict[tuple[str, ...], Tensor] = {}
        self.examples: dict[tuple[str, ...], int] = {}

    def add(self, terms: Mapping[str, Tensor], examples: int) -> None:
        """Add the means of a step over so many examples."""
        names = tuple(terms)
        values = at_least_float(torch.stack([value.detach() for value in terms.values()])) * examples
        self.sums[names] = self.sums[names] + values if names in self.sums else values
        self.examples[names] = self.examples.get(names, 0) + examples

    def taken(self, over_ranks: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """The means so far, which are then forgotten.

        Args:
            over_ranks: sum of a tensor over all ranks, which have added the same names.
        """
        sums: dict[str, Tensor] = {}
        examples: dict[str, Tensor] = {}
        for names, values in self.sums.items():
            count = values.new_full((1,), self.examples[names])
            *totals, whole = over_ranks(torch.cat([values, count])).unbind()
            for name, total in zip(names, totals, strict=True):
                sums[name] = sums[name] + total if name in sums else total
                examples[name] = examples[name] + whole if name in examples else whole
        self.sums, self.examples = {}, {}
        return {name: total / examples[name] for name, total in sums.items()}

"""References: what popularity, a Markov chain and, where it is known, the optimum reach on the same test targets."""

from __future__ import annotations

import pytorch_lightning as pl

from seqrec.data.datamodule import SequenceDataModule
from seqrec.methods.counting import Counting, KnownOptimum, Markov, Popularity
from seqrec.metrics import Protocol


def reference_results(data: SequenceDataModule, protocol: Protocol) -> dict[str, dict[str, float]]:
    """Test metrics of each reference, under the run's protocol."""
    references: dict[str, type[Counting]] = {"popularity": Popularity, "markov": Markov}
    if hasattr(data, "optimal_scores"):
        references["optimum"] = KnownOptimum
    results = {}
    for name, reference in references.items():
        model = reference(data.sequences.num_items)
        model.protocol = protocol
        quiet = pl.Trainer(
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        quiet.test(model, datamodule=data, verbose=False)
        results[name] = model.ranks.compute()[0]
    return results

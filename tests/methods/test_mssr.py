"""MSSR learns from what is known about the items: shuffled attributes make it worse."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from seqrec.backbones.mssr import MSSR as Network
from seqrec.data.synthetic import Synthetic
from seqrec.data.windows import prefixes
from seqrec.functional.losses import next_item
from seqrec.methods.mssr import MSSR

WORLD = {"num_items": 100, "num_types": 1, "branching": 100, "period": 24, "noise": 0.0, "world_seed": 0}


def synthetic(folder: Path) -> Synthetic:
    sizes = {"max_length": 4, "batch_size": 64, "eval_batch_size": 256, "num_workers": 0, "seed": 0}
    data = Synthetic(
        num_users=100,
        shortest=16,
        longest=16,
        **WORLD,
        name="synthetic",
        windows=prefixes,
        cache_dir=str(folder),
        **sizes,
    )
    data.setup()
    return data


def model_of(data: Synthetic) -> MSSR:
    torch.manual_seed(0)
    count, most = int(data.attributes.max()), data.attributes.shape[1]
    network = Network(data.sequences.num_items, count, most, 4, 16, 16, 1, 2, 16, 0.0, 0.0)
    optimizer, loss = partial(torch.optim.Adam, lr=1e-2), partial(next_item, padding_class=True)
    return MSSR(network, optimizer, loss, 1.0, 0.0, 1.0, 0.0, 0.0)


def ndcg(data: Synthetic) -> float:
    model = model_of(data)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    trainer = pl.Trainer(accelerator="cpu", max_epochs=8, logger=False, limit_val_batches=0, **quiet)  # type: ignore[arg-type]
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)
    return model.ranks.compute()[0]["ndcg@20"]


@pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning", "ignore::FutureWarning")
def test_attributes_help(tmp_path: Path) -> None:
    data = synthetic(tmp_path)
    known = data.sequences.attributes
    assert known is not None
    true = ndcg(data)
    order = torch.randperm(len(known), generator=torch.Generator().manual_seed(0))
    data.sequences = replace(data.sequences, attributes=known[order])
    shuffled = ndcg(data)
    assert true > 1.1 * shuffled, (true, shuffled)

"""MSSR learns from what is known about the items: shuffled attributes make it worse."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from seqrec.backbones.mssr.mssr import MSSREncoder
from seqrec.data.sequences import Sequences
from seqrec.data.sets import synthetic
from seqrec.data.sets.synthetic import Synthetic
from seqrec.data.windows import prefixes
from seqrec.functional.losses import next_item
from seqrec.methods.mssr import MSSR
from tests.factories import quiet_trainer

KINDS, OF_A_KIND, USERS, LENGTH = 8, 20, 120, 10
ITEMS = KINDS * OF_A_KIND


def rounds(*_: Any) -> Sequences:
    """Histories that go round the kinds of items, any item of a kind being as likely; the kind is the attribute."""
    generator = torch.Generator().manual_seed(0)
    kind = (torch.randint(KINDS, (USERS, 1), generator=generator) + torch.arange(LENGTH)) % KINDS
    items = 1 + kind * OF_A_KIND + torch.randint(OF_A_KIND, kind.shape, generator=generator)
    return Sequences(
        items=items.flatten().to(torch.int32),
        offsets=torch.arange(USERS + 1) * LENGTH,
        user_ids=pl.Series("user", map(str, range(USERS))),
        item_ids=pl.Series("item", map(str, range(ITEMS))),
        source_order=torch.arange(1, ITEMS + 1),
        attributes=(1 + torch.arange(ITEMS) // OF_A_KIND)[:, None].to(torch.int32),
    )


def ndcg(data: Synthetic, seed: int = 0) -> float:
    """On test, after a short training."""
    torch.manual_seed(seed)
    network = MSSREncoder(data.sequences.num_items, KINDS, 1, 4, 16, 16, 1, 2, 16, 0.0, 0.0)
    optimizer, loss = partial(torch.optim.Adam, lr=1e-2), partial(next_item, padding_class=True)
    model = MSSR(network, optimizer, loss, 1.0, 0.0, 1.0, 0.0, 0.0)
    trainer = quiet_trainer(max_epochs=6, limit_val_batches=0)
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)
    return model.ranks.compute()[0]["ndcg@20"]


@pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning", "ignore::FutureWarning")
def test_attributes_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "sample", rounds)
    world: dict[str, Any] = {
        "num_items": ITEMS,
        "num_types": 1,
        "branching": 1,
        "period": 1,
        "noise": 0.0,
        "world_seed": 0,
    }
    sizes = {"max_length": 4, "batch_size": 64, "eval_batch_size": 256, "num_workers": 0, "seed": 0}
    data = Synthetic(
        num_users=USERS,
        shortest=LENGTH,
        longest=LENGTH,
        name="rounds",
        windows=prefixes,
        cache_dir=str(tmp_path),
        **world,
        **sizes,
    )
    data.setup()
    known = data.sequences.attributes
    assert known is not None
    true = ndcg(data)
    order = torch.randperm(len(known), generator=torch.Generator().manual_seed(0))
    data.sequences = replace(data.sequences, attributes=known[order])
    shuffled = ndcg(data)
    assert true > 2 * shuffled, (true, shuffled)

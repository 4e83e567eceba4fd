"""S3-Rec's pre-training on data with and without attributes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from seqrec.backbones.transformer import Transformer
from seqrec.data.sets.synthetic import Synthetic
from seqrec.data.windows import prefixes
from seqrec.methods.s3rec import S3RecPretraining, distinct
from seqrec.nn.attention import DotProductAttention
from tests.methods.small import trainer

ITEMS, LENGTH, ATTRIBUTES = 30, 8, 5


def build(causal: bool = False, num_attributes: int = ATTRIBUTES) -> S3RecPretraining:
    torch.manual_seed(0)
    backbone = Transformer(ITEMS, LENGTH, 16, 1, 2, 32, 0.0, 0.0, DotProductAttention, causal, "from_newest")
    adam = partial(torch.optim.Adam, lr=0.01)
    return S3RecPretraining(backbone, adam, num_attributes, 2, 0.3, 0.2, 1.0, 1.0, 0.5)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Synthetic:
    """40 users; the attributes of an item are its remainder by 5 and, for half of the items, the same again."""
    sizes: dict[str, Any] = {"num_types": 2, "branching": 4, "period": 12, "noise": 0.1, "world_seed": 0}
    made = Synthetic(
        num_users=40, shortest=8, longest=12, num_items=ITEMS, **sizes,
        name="synthetic", windows=prefixes, max_length=LENGTH, batch_size=32, eval_batch_size=32, num_workers=0,
        seed=0, cache_dir=str(tmp_path),
    )  # fmt: skip
    made.setup()
    items = torch.arange(ITEMS + 2)
    attributes = torch.stack([items % ATTRIBUTES + 1, (items % ATTRIBUTES + 1) * (items % 2)], dim=1)
    attributes[[0, -1]] = 0
    monkeypatch.setattr(Synthetic, "attributes", attributes, raising=False)
    return made


def fit(model: S3RecPretraining, data: Synthetic, epochs: int) -> None:
    trainer(max_epochs=epochs).fit(model, datamodule=data)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_attributes_are_learnt(data: Synthetic) -> None:
    model = build()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fit(model, data, 12)
    assert torch.equal(model.attributes, distinct(data.attributes))
    assert (model.attributes[1:-1] > 0).sum(1).max() == 1, "an attribute counts once"
    after = model.state_dict()
    assert not [name for name, value in before.items() if torch.equal(value, after[name])]
    assert len(model.pool) == data.sequences.num_interactions - 2 * data.sequences.num_users
    batch = data.splits["val"].batch(torch.arange(20), LENGTH)
    states = model.eval().backbone(batch.items)[batch.items != 0]
    scores = model.heads["aap"](states) @ model.attribute_embedding.weight.T
    right = scores.argmax(1) + 1 == batch.items[batch.items != 0] % ATTRIBUTES + 1
    assert right.float().mean() > 0.8  # chance: 0.2


def test_what_cannot_be_pretrained_is_refused() -> None:
    with pytest.raises(ValueError, match="needs item attributes, which this data set does not have"):
        build(num_attributes=0)
    with pytest.raises(ValueError, match="from both sides"):
        build(causal=True)

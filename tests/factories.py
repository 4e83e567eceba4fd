"""Small histories, batches, sizes of models and trainers that tests build on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytorch_lightning as lightning
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from seqrec.data.batch import Batch
from seqrec.data.sequences import Sequences
from seqrec.data.sets.synthetic import Synthetic
from seqrec.data.windows import last_window
from seqrec.methods.base import Recommender
from seqrec.methods.ranker import Ranker

SMALL = {
    "dim": 16,
    "attribute_dim": 16,
    "hidden_dim": 16,
    "ffn_dim": 32,
    "num_heads": 2,
    "num_layers": 2,
    "num_clusters": 16,
    "num_edges": 64,
}


def build(config: DictConfig) -> Ranker:
    """The model of a configuration, over a small catalogue."""
    config = config.copy()
    config.catalog.num_items = 50
    config.catalog.num_users = 60
    config.catalog.num_attributes, config.catalog.attributes_per_item = 12, 2
    model = instantiate(config.model, _convert_="all")
    assert isinstance(model, Ranker)
    assert model.backbone.num_items == 50
    return model


def make_sequences(histories: Iterable[Tensor | Sequence[int]], num_items: int) -> Sequences:
    """Histories of users ``u0``, ``u1``, ... over items 1 to ``num_items``, whose ids in the source are the same."""
    rows = [torch.as_tensor(history) for history in histories]
    offsets = torch.tensor([0, *map(len, rows)]).cumsum(0)
    ids = torch.arange(1, num_items + 1)
    users = pl.Series([f"u{n}" for n in range(len(rows))])
    return Sequences(torch.cat(rows).int(), offsets, users, pl.Series(ids.tolist()), ids)


def small_synthetic(folder: Path, **changes: Any) -> Synthetic:
    """A hundred users of synthetic data, prepared; ``folder`` is the cache, and ``changes`` are other arguments."""
    sizes = {"num_users": 100, "shortest": 6, "longest": 20, "num_items": 60, "num_types": 3, "branching": 4}
    world = {"period": 12, "noise": 0.1, "world_seed": 0, "seed": 0}
    loading = {"windows": last_window, "max_length": 20, "batch_size": 16, "eval_batch_size": 16, "num_workers": 0}
    given: dict[str, Any] = {"name": "synthetic", "cache_dir": str(folder), **sizes, **world, **loading, **changes}
    data = Synthetic(**given)
    data.setup()
    return data


def make_batch(items: Tensor, target: Tensor, next_items: Tensor | None = None) -> Batch:
    """Right-padded histories ``(B, L)`` of users 0, 1, ...; without ``next_items`` no position is supervised."""
    row = torch.arange(len(items))
    return Batch(row, row, items, target, torch.zeros_like(items) if next_items is None else next_items)


def of_parts(function: Callable[[Tensor], Tensor], batch: Batch) -> Batch:
    """A batch of what ``function`` makes of each tensor of another."""
    parts = (batch.row, batch.user, batch.items, batch.target, batch.next_items)
    row, user, items, target, next_items = (function(part) for part in parts)
    return Batch(row, user, items, target, next_items)


def record_terms(model: Recommender, record: Callable[[dict[str, Tensor]], object]) -> None:
    """Give what each step of a model logs to ``record``, under the names that it has in ``log.csv``."""

    def log_terms(batch: Batch, terms: Mapping[str, Tensor]) -> None:
        record({f"train/{name}": value.detach() for name, value in terms.items()})

    model.log_terms = log_terms  # type: ignore[method-assign]


def at_newest(items: Tensor, target: Tensor) -> Tensor:
    """``next_items (B, L)`` where only the newest item learns; an empty history does so at its first column."""
    next_items = torch.zeros_like(items)
    next_items[torch.arange(len(items)), ((items != 0).sum(1) - 1).clamp(min=0)] = target
    return next_items


def shrink(node: Any) -> None:
    """Set every size of :data:`SMALL` below ``node`` that is a plain number."""
    if not isinstance(node, DictConfig):
        return
    for key in node:
        if key in SMALL and not OmegaConf.is_interpolation(node, key):
            node[key] = SMALL[str(key)]
        else:
            shrink(node[key])


def quiet_trainer(**options: Any) -> lightning.Trainer:
    """A trainer on the CPU that writes and prints nothing; ``options`` replace or add to its own."""
    quiet: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "num_sanity_val_steps": 0,
    }
    return lightning.Trainer(**(quiet | options))

"""What the data says about the catalogue, entered into the configuration before the model is built."""

from __future__ import annotations

import torch
from omegaconf import DictConfig, OmegaConf

from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.errors import DataError
from seqrec.runs.targets import find


def with_catalog(config: DictConfig, data: SequenceDataModule) -> DictConfig:
    """A copy of ``config`` whose ``catalog`` has the sizes of ``data``.

    Args:
        config: the whole configuration.
        data: the prepared data set.

    Raises:
        DataError: the model needs item attributes and the data set has none, a user's own are of no use to it, or it
            would have to score for users that it cannot know.
    """
    sequences, attributes = data.sequences, data.sequences.attributes
    _check_attributes(config, data)
    _check_users(config, data)
    filled = config.copy()
    filled.catalog = {
        "num_items": sequences.num_items,
        "num_users": sequences.num_users,
        "num_attributes": 0 if attributes is None else int(attributes.max()),
        "attributes_per_item": 0 if attributes is None else attributes.shape[1],
    }
    return filled


def _check_attributes(config: DictConfig, data: SequenceDataModule) -> None:
    """Refuse a model without the attributes that it needs, and attributes that no model of the run uses."""
    model = config.name or "this model"
    targets = [OmegaConf.select(config, key) for key in ("model._target_", "warm_start.model._target_")]
    needed = any(getattr(find(target, "model"), "uses_attributes", False) for target in targets if target)
    if needed and data.sequences.attributes is None:
        raise DataError(
            f"{model} needs item attributes (categories, brands, genres, ...), and data={data.name} has none: "
            f"{data.attribute_advice}; or choose a model that needs none, such as model=sasrec"
        )
    given = OmegaConf.select(config, "data.attributes")
    if given is not None and not needed:
        raise DataError(
            f"data.attributes={given}: {model} cannot use item attributes; leave data.attributes out, or choose a "
            "model that can, such as model=mssr"
        )


def _check_users(config: DictConfig, data: SequenceDataModule) -> None:
    """Refuse a model that scores for the users of its training where the split evaluates others."""
    trained = data.sequences.trained
    target = OmegaConf.select(config, "model._target_")
    if trained is None or not target or not getattr(find(target, "model"), "knows_users", False):
        return
    users = torch.cat([windows.user for windows in data.splits.values()]).unique()
    unknown = int((trained[users] == 0).sum())
    if unknown:
        way = ", or data.split.known_users=true" if hasattr(data.split, "known_users") else ""
        raise DataError(
            f"{config.name or 'this model'} scores for users that it was trained on, and {unknown} of {len(users)} "
            f"evaluated ones have no training interaction in this split; choose a model that reads histories, such as "
            f"model=sasrec{way}"
        )

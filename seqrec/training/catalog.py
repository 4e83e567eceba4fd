"""What the data says about the catalogue, entered into the configuration before the model is built."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.errors import DataError

ATTRIBUTE_SIZES = ("num_attributes", "attributes_per_item")
"""Arguments by which a model says that it uses item attributes."""


def fill_catalog(config: DictConfig, data: SequenceDataModule) -> None:
    """Fill in ``catalog``.

    Args:
        config: the whole configuration.
        data: the prepared data set.

    Raises:
        DataError: the model needs item attributes and the data set has none, or a user's own are of no use to it.
    """
    attributes = data.sequences.attributes
    config.catalog.num_items = data.sequences.num_items
    config.catalog.num_users = data.sequences.num_users
    config.catalog.num_attributes = 0 if attributes is None else int(attributes.max())
    config.catalog.attributes_per_item = 0 if attributes is None else attributes.shape[1]
    model = config.name or "this model"
    needed = uses_attributes(config.model) or uses_attributes(config.get("warm_start"))
    if needed and attributes is None:
        raise DataError(
            f"{model} needs item attributes (categories, brands, genres, ...), and data={data.name} has none: "
            f"{data.attribute_advice}; or choose a model that needs none, such as model=sasrec"
        )
    given = config.data.get("attributes")
    if given is not None and not needed:
        raise DataError(
            f"data.attributes={given}: {model} cannot use item attributes; leave data.attributes out, or choose a "
            "model that can, such as model=mssr"
        )


def uses_attributes(node: Any) -> bool:
    """Whether a model's configuration, or a part of it, has an argument of :data:`ATTRIBUTE_SIZES`."""
    if not isinstance(node, DictConfig):
        return False
    return any(key in ATTRIBUTE_SIZES for key in node) or any(uses_attributes(node._get_node(key)) for key in node)

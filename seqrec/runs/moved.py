"""Where the callables of older versions are today, so that configurations stored by them can still be built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOVED: Mapping[str, str] = {
    "seqrec.backbones.caser.Convolutions": "seqrec.backbones.caser.CaserEncoder",
    "seqrec.backbones.mssr.MSSR": "seqrec.backbones.mssr.MSSREncoder",
    "seqrec.data.amazon.Amazon": "seqrec.data.sets.amazon.Amazon",
    "seqrec.data.custom.Custom": "seqrec.data.sets.custom.Custom",
    "seqrec.data.movielens.MovieLens": "seqrec.data.sets.movielens.MovieLens",
    "seqrec.data.soft_labels.soft_labels": "seqrec.data.indices.soft_labels.soft_labels",
    "seqrec.data.synthetic.Synthetic": "seqrec.data.sets.synthetic.Synthetic",
    "seqrec.data.windows.whole": "seqrec.data.windows.full_chunks",
    "seqrec.data.yelp.Yelp": "seqrec.data.sets.yelp.Yelp",
    "seqrec.functional.augment.masked_left_to_right": "seqrec.functional.cloze.left_to_right",
    "seqrec.functional.contrast.contrast_items": "seqrec.methods.easnrec.contrast.ItemContrast",
    "seqrec.functional.contrast.contrast_states": "seqrec.methods.easnrec.contrast.StateContrast",
    "seqrec.functional.hard_negatives.enduring": "seqrec.methods.contrastive.HardNegativeContrast",
    "seqrec.functional.hard_negatives.in_batch": "seqrec.methods.contrastive.InBatchContrast",
    "seqrec.methods.easnrec.contrast.contrast_items": "seqrec.methods.easnrec.contrast.ItemContrast",
    "seqrec.methods.easnrec.contrast.contrast_states": "seqrec.methods.easnrec.contrast.StateContrast",
    "seqrec.methods.easnrec.positives.augmented_embeddings": "seqrec.methods.easnrec.positives.AugmentedEmbeddings",
    "seqrec.methods.easnrec.positives.same_pass": "seqrec.methods.easnrec.positives.SamePass",
    "seqrec.methods.easnrec.positives.second_pass": "seqrec.methods.easnrec.positives.SecondPass",
    "seqrec.nn.memory.ExternalMemory": "seqrec.methods.easnrec.memory.ExternalMemory",
    "seqrec.nn.siamese.Attention": "seqrec.methods.easnrec.siamese.Attention",
    "seqrec.nn.siamese.Convolution": "seqrec.methods.easnrec.siamese.Convolution",
    "seqrec.nn.siamese.FullyConnected": "seqrec.methods.easnrec.siamese.FullyConnected",
    "seqrec.nn.siamese.Recurrent": "seqrec.methods.easnrec.siamese.Recurrent",
    "seqrec.nn.uncertainty.UncertaintyAttention": "seqrec.methods.easnrec.uncertainty.UncertaintyAttention",
    "seqrec.tasks.warm_start.FirstStage": "seqrec.training.stages.FirstStage",
}

NOW_BUILT = frozenset(
    {
        "seqrec.functional.contrast.contrast_items",
        "seqrec.functional.contrast.contrast_states",
        "seqrec.functional.hard_negatives.enduring",
        "seqrec.functional.hard_negatives.in_batch",
        "seqrec.methods.easnrec.contrast.contrast_items",
        "seqrec.methods.easnrec.contrast.contrast_states",
        "seqrec.methods.easnrec.positives.augmented_embeddings",
        "seqrec.methods.easnrec.positives.same_pass",
        "seqrec.methods.easnrec.positives.second_pass",
    }
)
"""Old names of functions, once configured with ``_partial_: true``, that are classes to build today."""

PARTS: Mapping[str, Mapping[str, str]] = {
    "seqrec.methods.ecl_sr.ECLSR": {"seqrec.functional.augment.masked_positions": "seqrec.functional.cloze.sampled"},
}
"""By owner: callables that it was configured with, and what takes their place there; elsewhere they are still used."""

PRESETS = {"easnrec": "all_items", "fenrec": "unseen_items"}
"""Names of the protocols in runs of version 0.1, which named them after papers."""


def upgraded(node: Any, moved: Mapping[str, str] = MOVED) -> Any:
    """A configuration of plain dicts and lists, stored by this or an older version, in the names of today.

    Args:
        node: the configuration or a part of it; it stays as it is.
        moved: old names and those of today.
    """
    if isinstance(node, list):
        return [upgraded(part, moved) for part in node]
    if not isinstance(node, dict):
        return node
    target = node.get("_target_")
    parts = {**moved, **PARTS.get(target, {})} if isinstance(target, str) else moved
    new = {key: upgraded(value, parts) for key, value in node.items()}
    if target == "seqrec.metrics.Protocol" and isinstance(new.get("name"), str):
        new["name"] = PRESETS.get(new["name"], new["name"])
    if isinstance(target, str) and target in moved:
        new["_target_"] = moved[target]
        if target in NOW_BUILT:
            new.pop("_partial_", None)
    return new

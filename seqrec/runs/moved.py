"""Where the callables of older versions are today, so that configurations stored by them still mean something."""

from __future__ import annotations

from collections.abc import Mapping

MOVED: Mapping[str, str] = {
    "seqrec.data.amazon.Amazon": "seqrec.data.sets.amazon.Amazon",
    "seqrec.data.custom.Custom": "seqrec.data.sets.custom.Custom",
    "seqrec.data.movielens.MovieLens": "seqrec.data.sets.movielens.MovieLens",
    "seqrec.data.soft_labels.soft_labels": "seqrec.data.indices.soft_labels.soft_labels",
    "seqrec.data.synthetic.Synthetic": "seqrec.data.sets.synthetic.Synthetic",
    "seqrec.data.yelp.Yelp": "seqrec.data.sets.yelp.Yelp",
    "seqrec.nn.memory.ExternalMemory": "seqrec.methods.easnrec.memory.ExternalMemory",
    "seqrec.nn.siamese.Attention": "seqrec.methods.easnrec.siamese.Attention",
    "seqrec.nn.siamese.Convolution": "seqrec.methods.easnrec.siamese.Convolution",
    "seqrec.nn.siamese.FullyConnected": "seqrec.methods.easnrec.siamese.FullyConnected",
    "seqrec.nn.siamese.Recurrent": "seqrec.methods.easnrec.siamese.Recurrent",
    "seqrec.nn.uncertainty.UncertaintyAttention": "seqrec.methods.easnrec.uncertainty.UncertaintyAttention",
    "seqrec.tasks.warm_start.FirstStage": "seqrec.training.stages.FirstStage",
}

"""Which callables of the project and of its libraries a configuration may name.

A configuration calls what it names, and it may come from someone else. So this is a list of what is allowed, by what
found and not by how it was spelt: no spelling of ``torch.hub.load``, ``torch.load`` or ``torch.os.system`` is on it.
"""

from __future__ import annotations

from inspect import isclass, isfunction
from typing import Any

MODULE, OPTIMIZER, SCHEDULER = (
    "torch.nn.modules.module.Module",
    "torch.optim.optimizer.Optimizer",
    "torch.optim.lr_scheduler.LRScheduler",
)

LIBRARY_CLASSES = {
    "torch.nn": (MODULE,),
    "torch.optim": (OPTIMIZER, SCHEDULER),
    "torchmetrics.aggregation": (MODULE,),
    "torchmetrics.classification": (MODULE,),
    "torchmetrics.regression": (MODULE,),
    "torchmetrics.retrieval": (MODULE,),
    "pytorch_lightning.trainer": ("pytorch_lightning.trainer.trainer.Trainer",),
    "pytorch_lightning.callbacks": ("pytorch_lightning.callbacks.callback.Callback",),
    "pytorch_lightning.loggers": ("pytorch_lightning.loggers.logger.Logger",),
    "pytorch_lightning.profilers": ("pytorch_lightning.profilers.profiler.Profiler",),
    "pytorch_lightning.strategies": ("pytorch_lightning.strategies.strategy.Strategy",),
    "pytorch_lightning.plugins": (
        "pytorch_lightning.plugins.precision.precision.Precision",
        "pytorch_lightning.plugins.layer_sync.LayerSync",
        "lightning_fabric.plugins.io.checkpoint_io.CheckpointIO",
    ),
    "lightning_fabric.plugins": (
        "lightning_fabric.plugins.io.checkpoint_io.CheckpointIO",
        "lightning_fabric.plugins.environments.cluster_environment.ClusterEnvironment",
    ),
}
"""Packages of the libraries, and the base classes of what may be made of them."""

LIBRARY_FUNCTIONS = ("torch.nn.functional", "torch.nn.init")
"""Modules of the libraries whose own public functions may be called."""

PROJECT_CLASSES = (
    "seqrec.backbones", "seqrec.data.sets", "seqrec.data.splits", "seqrec.functional", "seqrec.methods",
    "seqrec.metrics", "seqrec.nn", "seqrec.training.callbacks", "seqrec.training.sharded",
    "seqrec.training.stages.FirstStage", "seqrec.training.trainer.Trainer",
)  # fmt: skip
"""Where the classes of the project lie that a configuration may make."""

PROJECT_FUNCTIONS = (
    "seqrec.data.indices", "seqrec.data.windows", "seqrec.functional", "seqrec.nn",
    "seqrec.methods.easnrec.similarity",
)  # fmt: skip
"""Where the functions lie that parts of a model or of a data set may call; those elsewhere read and write files."""

TASKS = "seqrec.tasks"
"""Where the functions lie that ``task`` may call."""


def may_be_spelt(target: str) -> bool:
    """Whether a name of a library begins as one of those that are allowed, so that importing it is safe."""
    public = ("pytorch_lightning.Trainer", *LIBRARY_CLASSES, *LIBRARY_FUNCTIONS)
    return any(_is_in(target, place) for place in public)


def is_allowed_of_library(found: Any, target: str) -> bool:
    """Whether what ``target`` names is a class or a function of a library that a configuration may call."""
    module = str(getattr(found, "__module__", None))
    if isclass(found):
        bases = {f"{base.__module__}.{base.__qualname__}" for base in found.__mro__}
        return any(_is_in(module, place) and not bases.isdisjoint(kinds) for place, kinds in LIBRARY_CLASSES.items())
    place, _, name = target.rpartition(".")
    if place not in LIBRARY_FUNCTIONS or name.startswith("_"):
        return False
    # Functions written in C do not know the module that offers them.
    return module == place or (not isfunction(found) and module.startswith("torch._C")) or _is_elementwise(found)


def is_allowed_of_project(found: Any, path: str) -> bool:
    """Whether the node at ``path`` may call this class or function of the project."""
    name = f"{found.__module__}.{getattr(found, '__qualname__', '')}"
    if isclass(found):
        return any(_is_in(name, place) for place in PROJECT_CLASSES)
    if "." in getattr(found, "__qualname__", "."):
        return False  # a method, which is called on an object
    places = (TASKS,) if path == "task" else PROJECT_FUNCTIONS
    return any(_is_in(name, place) for place in places)


def _is_elementwise(found: Any) -> bool:
    return str(getattr(found, "__qualname__", "")).startswith("_VariableFunctionsClass.")


def _is_in(name: str, place: str) -> bool:
    return name == place or name.startswith(f"{place}.")

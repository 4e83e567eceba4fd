"""Export forms: parts that compute the same as those of training, in operations that a graph can hold.

A form is a subclass of the part that it stands for and has the same weights. :func:`exported` gives a twin of a model
in which every part that has a form is one; the model itself stays as it is.
"""

from __future__ import annotations

import copy
from typing import Any, Protocol, TypeVar, runtime_checkable

from torch import nn

from seqrec.export.forms.attention import DotProduct, Uncertainty
from seqrec.export.forms.gru import GRUOperator
from seqrec.export.forms.lru import RealLRU, RealUnit
from seqrec.export.forms.padded import WholeBSARec, WholeCaser, WholeMSSR
from seqrec.export.forms.xlstm import RowConvolution, RowMLSTM, RowXLSTM, StepwiseSLSTM

_ALL: tuple[type[nn.Module], ...] = (
    *(DotProduct, Uncertainty),
    GRUOperator,
    *(RealUnit, RealLRU),
    *(WholeBSARec, WholeCaser, WholeMSSR),
    *(RowConvolution, RowMLSTM, RowXLSTM, StepwiseSLSTM),
)

FORMS: dict[type[nn.Module], type[nn.Module]] = {form.__bases__[0]: form for form in _ALL}
"""The form of each class that has one."""

Model = TypeVar("Model", bound=nn.Module)


@runtime_checkable
class HasConstants(Protocol):
    """A form with constants that follow from its weights."""

    def make_constants(self, max_length: int) -> None:
        """Make them, for histories of up to ``max_length`` items."""


@runtime_checkable
class Stepwise(Protocol):
    """The form of a backbone that updates a state, one item at a time, at a cost that does not grow."""

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each part of a history's state, float32, by name; all are zero before the first item."""

    @property
    def step_of(self) -> Any:
        """Embedded items ``(B, D)`` and the parts of the state, B first, to states ``(B, D)`` and the next parts."""


def exported(model: Model, max_length: int) -> Model:
    """A twin of a model with its parts in their export forms; it shares all weights."""
    twin = copy.copy(model)
    object.__setattr__(twin, "__class__", FORMS.get(type(model), type(model)))
    children = {name: None if part is None else exported(part, max_length) for name, part in model._modules.items()}
    own = {"_modules": children, "_parameters": dict(model._parameters), "_buffers": dict(model._buffers)}
    twin.__dict__.update(own)
    if isinstance(twin, HasConstants):
        twin.make_constants(max_length)
    return twin

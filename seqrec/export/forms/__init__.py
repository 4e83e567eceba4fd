"""Export forms: parts that compute the same as those of training, in operations that a graph can hold.

A form is a subclass of the part that it stands for and has the same weights. :func:`exported` gives a twin of a model
in which every part that has a form is one; the model itself stays as it is.
"""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn

from seqrec.export.forms.attention import DotProduct, Uncertainty

FORMS: dict[type[nn.Module], type[nn.Module]] = {form.__bases__[0]: form for form in (DotProduct, Uncertainty)}

Model = TypeVar("Model", bound=nn.Module)


def exported(model: Model) -> Model:
    """A twin of a model with its parts in their export forms; it shares all weights."""
    twin = copy.copy(model)
    object.__setattr__(twin, "__class__", FORMS.get(type(model), type(model)))
    children = {name: None if part is None else exported(part) for name, part in model._modules.items()}
    own = {"_modules": children, "_parameters": dict(model._parameters), "_buffers": dict(model._buffers)}
    twin.__dict__.update(own)
    return twin

"""Which backbones a method can learn with; a wrong pair is refused before any data is loaded."""

from __future__ import annotations

from seqrec.backbones.base import Backbone


def check_backbone(method: type, backbone: Backbone, needs: type, needs_causal: bool | None) -> None:
    """Refuse a backbone that a method cannot learn with.

    Args:
        method: for messages.
        backbone: the one to check.
        needs: the class that the method works with.
        needs_causal: True if states may not depend on newer items, False if they must, None if both will do.

    Raises:
        ValueError: the backbone is not of that class, is made for another method, or sees too much or too little.
    """
    name, kind = method.__name__, type(backbone).__name__
    if not isinstance(backbone, needs):
        raise ValueError(f"{name} needs a {needs.__name__}, not a {kind}; choose another model/backbone")
    if not (backbone.general or type(backbone) is needs):
        raise ValueError(
            f"a {kind} gives states that only a method made for it can use, not {name}; choose another model/backbone"
        )
    if needs_causal and not backbone.causal:
        raise ValueError(
            f"{name} learns at all positions, but states of a {kind} depend on newer items, which they are to predict; "
            "choose a causal model/backbone"
        )
    if needs_causal is False and backbone.causal:
        raise ValueError(
            f"{name} fills in items from both sides, but states of a {kind} depend on older items only; choose "
            "model/backbone=bidirectional, or set causal=false in it"
        )

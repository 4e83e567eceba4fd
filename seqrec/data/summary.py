"""What a prepared data set is, in words."""

from __future__ import annotations

from seqrec.data.sequences import HELD_OUT, Sequences


def summary(name: str, sequences: Sequences) -> list[str]:
    """Lines on the sizes of a data set, on what each step of its preparation left out, and on who is not evaluated.

    Args:
        name: of the data set.
        sequences: prepared.
    """
    lines = [
        f"{name}: {sequences.num_users:,} users, {sequences.num_items:,} items, "
        f"{sequences.num_interactions:,} interactions"
    ]
    for step, lost in sequences.dropped.items():
        lines.append(f"left out ({step}): {', '.join(f'{count:,} {kind}' for kind, count in lost.items())}")
    if short := int((sequences.lengths <= HELD_OUT).sum()):
        lines.append(f"{short:,} users with fewer than {HELD_OUT + 1} are not evaluated")
    return lines

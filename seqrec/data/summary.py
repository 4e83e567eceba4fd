"""What a prepared data set is, in words."""

from __future__ import annotations

from collections.abc import Mapping

from seqrec.data.sequences import HELD_OUT, Sequences
from seqrec.data.windows import Windows


def summary(name: str, sequences: Sequences, splits: Mapping[str, Windows] | None = None) -> list[str]:
    """Lines on the sizes of a data set, on what each step of its preparation left out, and on who is not evaluated.

    Args:
        name: of the data set.
        sequences: prepared.
        splits: windows of validation and test, which are counted unless the split is leave-one-out.
    """
    lines = [
        f"{name}: {sequences.num_users:,} users, {sequences.num_items:,} items, "
        f"{sequences.num_interactions:,} interactions"
    ]
    for step, lost in sequences.dropped.items():
        lines.append(f"left out ({step}): {', '.join(f'{count:,} {kind}' for kind, count in lost.items())}")
    if sequences.trained is not None:
        lines.append(
            f"{int(sequences.trained.sum()):,} interactions of {int((sequences.trained > 0).sum()):,} users train"
        )
        for part, windows in (splits or {}).items():
            lines.append(f"{part}: {len(windows):,} targets of {len(windows.user.unique()):,} users")
    elif short := int((sequences.lengths <= HELD_OUT).sum()):
        lines.append(f"{short:,} users with fewer than {HELD_OUT + 1} are not evaluated")
    return lines

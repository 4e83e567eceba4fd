"""Lists for many users, written part by part, so that memory is bounded and a killed job can be resumed."""

from __future__ import annotations

import ctypes
from collections import Counter
from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from seqrec.serving.inputs import Requests
from seqrec.serving.outputs import Output
from seqrec.serving.recommend import LoadedModel


def write_parts(
    rec: LoadedModel, requests: Requests, target: Output, screen: Console, part_users: int, options: dict[str, Any]
) -> Counter[str]:
    """Write the lists of all users but of parts that are there already, and join the parts.

    Args:
        rec: the model.
        requests: histories, and whose they are.
        target: where the lists go; it has begun.
        screen: for a bar, if someone looks at it.
        part_users: users of a part.
        options: of :meth:`~seqrec.serving.recommend.LoadedModel.recommend`.

    Returns:
        What the lists count, over all parts.
    """
    parts, counts = range(0, max(requests.rows, 1), part_users), Counter[str]()
    bar = (TextColumn("users"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*bar, console=screen, disable=not screen.is_terminal) as progress:
        shown = progress.add_task("", total=requests.rows)
        for number, first in enumerate(parts):
            counted = target.counts(number)
            if counted is None:
                users, numbers, offsets = requests.part(first, part_users)
                known = users.to_list() if rec.users else None
                asked = rec.asked_of(numbers, offsets, options["unknown"], known)
                found = rec.recommend(asked, **options)
                target.write(number, found, users)
                counted = found.counts
                give_back_memory()
            counts.update(counted)
            progress.update(shown, completed=min(first + part_users, requests.rows))
    target.join(len(parts))
    return counts


def give_back_memory() -> None:
    """Return freed memory to the system.

    Batches differ in length, so freed blocks rarely fit the next ones. glibc keeps them all the same, and the process
    would grow with every part; other C libraries have no such function.
    """
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)

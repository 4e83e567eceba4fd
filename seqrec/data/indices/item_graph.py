"""The transition graph of the items: which items are at most a few positions apart in some history."""

from __future__ import annotations

import torch
from torch import Tensor

from seqrec.data.windows import Windows


def transitions(windows: Windows, distance: int) -> tuple[Tensor, Tensor]:
    """Edges between items at most ``distance`` positions apart, in both directions, and of every node to itself.

    Args:
        windows: their whole histories are read, their targets are not.
        distance: 1 for neighbours only.

    Returns:
        Rows and columns ``(E,)`` int64 among the nodes ``0..I``, each edge once, sorted by column, then row. Node 0,
        padding, has only the edge to itself.
    """
    if distance < 1:
        raise ValueError(f"distance is {distance}; items are at least 1 position apart")
    lengths, nodes = windows.lengths, windows.sequences.num_items + 1
    begin = lengths.cumsum(0) - lengths
    place = torch.arange(int(lengths.sum())) + torch.repeat_interleave(windows.start - begin, lengths)
    remaining = torch.repeat_interleave(windows.stop, lengths) - place
    items = windows.sequences.items.long()
    loop = torch.arange(nodes)
    found = [loop * nodes + loop]
    for apart in range(1, distance + 1):
        earlier = place[remaining > apart]
        one, other = items[earlier], items[earlier + apart]
        found.append(torch.unique(torch.cat([one * nodes + other, other * nodes + one])))
    edges = torch.unique(torch.cat(found))
    return edges % nodes, edges // nodes

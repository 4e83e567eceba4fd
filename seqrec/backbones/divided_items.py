"""Item vectors whose rows the processes of a run divide (``model/table=sharded``)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import Shard, distribute_tensor

from seqrec.functional.softmax.divided import looked_up, part


class DividedItems(nn.Embedding):
    """An embedding with the vectors of another, whose rows are divided; all processes look up together.

    Args:
        whole: the same on all processes.
        mesh: the processes, in one dimension.
    """

    def __init__(self, whole: nn.Embedding, mesh: DeviceMesh) -> None:
        rows = distribute_tensor(whole.weight.detach(), mesh, [Shard(0)])
        super().__init__(whole.num_embeddings, whole.embedding_dim, whole.padding_idx, _weight=rows)

    def forward(self, input: Tensor) -> Tensor:
        """Vectors ``(..., D)`` of ids ``(...)``."""
        found = looked_up(input.flatten(), part(self.weight, 0, self.weight.shape[0]))
        return found.unflatten(0, input.shape)

"""The strategy of ``trainer=fsdp``: all processes divide the rows of the weights and of their moments."""

from __future__ import annotations

from pytorch_lightning.strategies import ModelParallelStrategy


class Sharded(ModelParallelStrategy):
    """Lightning's strategy for ``fully_shard``, with all processes in one group and ordinary checkpoints.

    :meth:`Recommender.configure_model <seqrec.methods.base.Recommender.configure_model>` divides the model.
    """

    def __init__(self) -> None:
        super().__init__(tensor_parallel_size=1, save_distributed_checkpoint=False)

    def setup_environment(self) -> None:
        """Count the processes, which Lightning knows by now."""
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()

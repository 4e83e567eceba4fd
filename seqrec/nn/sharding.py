"""Weights that several processes divide: each keeps some rows of every parameter, of its gradient and its moments.

PyTorch's ``fully_shard`` does it. Before a method that computes with the weights the rows of all processes are brought
together, and after its backward pass each process keeps its own again. Elsewhere a parameter is a ``DTensor``, which
does not mix with plain tensors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import wraps
from typing import Any

import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor


def shard(
    module: nn.Module, mesh: DeviceMesh, methods: Sequence[str], step: str, divided: Sequence[nn.Parameter] = ()
) -> None:
    """Divide the parameters of ``module``, which are the same on all processes, by their rows.

    Args:
        module: its class becomes a subclass of its own that knows how to bring the rows together.
        mesh: the processes, in one dimension.
        methods: names of the methods that compute with the weights. None of them may call another.
        step: which of them learns. Before it all processes take over the buffers of the first one, as under DDP.
        divided: parameters that stay as they are, because they are divided already.
    """
    if divided:
        fully_shard(module, mesh=mesh, ignored_params=set(divided))  # which torch 2.6 does not know yet
    else:
        fully_shard(module, mesh=mesh)
    for name in methods:
        register_fsdp_forward_method(module, name)
    learn = getattr(module, step)

    @wraps(learn)
    def with_buffers_of_first(*args: Any) -> Any:
        for buffer in module.buffers():
            dist.broadcast(buffer, 0, mesh.get_group())
        return learn(*args)

    setattr(module, step, with_buffers_of_first)


def is_sharded(module: nn.Module) -> bool:
    """Whether the parameters of ``module`` are divided."""
    return isinstance(module, FSDPModule)


def load_whole(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load a whole state, as checkpoints hold it, into a module that is divided or not.

    Args:
        module: all processes that divide it call this together.
        state: what ``state_dict`` of the undivided module gives.
    """
    if is_sharded(module):
        # Imported here because it takes a third of a second, and few runs come here.
        from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict

        set_model_state_dict(module, dict(state), options=StateDictOptions(full_state_dict=True))
    else:
        module.load_state_dict(state)


def whole(x: Tensor) -> Tensor:
    """``x``, of which each process may have a part; if so they call this together."""
    return x.full_tensor() if isinstance(x, DTensor) else x


def make_whole(module: nn.Module) -> None:
    """Bring the rows of all processes together, until the next backward pass or checkpoint; they call it together."""
    if isinstance(module, FSDPModule):
        module.unshard()

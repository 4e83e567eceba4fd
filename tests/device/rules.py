"""What CUDA refuses, what makes the host wait for it, and how many kernels an operator launches.

Operators are those that reach a device after autograd: the names of ``torch.ops.aten``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tests.device.tensor import OnDevice

INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index", "_unsafe_index_put"}

RESULT_ON_HOST = {"_local_scalar_dense", "equal", "is_nonzero"}
SIZE_OF_RESULT = {
    "_coalesce", "_unique", "_unique2", "argwhere", "bincount", "masked_select", "nonzero", "nonzero_numpy",
    "to_sparse", "_to_sparse", "unique_consecutive", "unique_dim",
}  # fmt: skip
CHECKED_VALUES = {"histc", "multinomial"}
WAITS = RESULT_ON_HOST | SIZE_OF_RESULT | CHECKED_VALUES
"""Operators after which the host reads from the device: their result, how large it is, or whether they may run."""

NO_KERNEL = {
    "_coalesced_", "_indices", "_is_coalesced", "_nnz", "_reshape_alias", "_sparse_compressed_tensor_unsafe",
    "_sparse_coo_tensor_unsafe", "_sparse_coo_tensor_with_dims_and_tensors", "_sparse_csr_tensor_unsafe",
    "_unsafe_view", "_values", "alias", "col_indices", "crow_indices", "detach", "empty", "empty_like",
    "empty_strided", "indices", "is_coalesced", "is_same_size", "lift_fresh", "new_empty", "new_empty_strided",
    "record_stream", "resize_", "set_", "sparse_coo_tensor", "sparse_csr_tensor", "values",
}  # fmt: skip

KERNELS = {
    "_coalesce": 10, "_unique2": 8, "bincount": 4, "convolution_backward": 3, "cumsum": 2, "masked_scatter": 3,
    "masked_select": 5, "native_layer_norm_backward": 2, "nonzero": 4, "nonzero_static": 3, "sort": 4, "topk": 3,
    "unique_consecutive": 6,
}  # fmt: skip
"""Rough numbers of kernels of operators that launch several."""

SORTED_SCATTER = 7  # kernels of index_put(accumulate=True), which sorts the indices first
FEW_ROWS, MANY_ROWS_KERNELS = 3072, 9  # gradients of an embedding: of more rows than that they are sorted first
LIST_CHUNK = 36  # tensors that one kernel of a fused optimizer takes, about


def mixed(name: str, args: Sequence[Any], tensors: list[Tensor]) -> str:
    """Why CUDA refuses the tensors of an operator, at least one of them on the device; empty where it does not."""
    host = [x for x in tensors if not isinstance(x, OnDevice)]
    if name in INDEXING:
        indices = [x for x in args[1] if isinstance(x, Tensor)]
        if not isinstance(args[0], OnDevice):
            return "a tensor of the host indexed by one of the device"
        host = [x for x in host if all(x is not index for index in indices)]  # these are copied
    # A number on the host is an argument of the kernel, but for operators that take no numbers.
    if any(x.dim() or _takes_no_number(name) for x in host):
        shapes = ", ".join(
            f"{tuple(x.shape)} on {'the device' if isinstance(x, OnDevice) else 'the host'}" for x in tensors[:4]
        )
        return f"tensors of two devices: {shapes}"
    return ""


def _takes_no_number(name: str) -> bool:
    return name in {"embedding", "gather", "index_select", "scatter", "scatter_add", "searchsorted", "cat", "stack"}


def wait(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> str:
    """What the host waits for in an operator; empty where it does not wait."""
    if name in WAITS:
        return {"_local_scalar_dense": "item"}.get(name, name)
    if name == "repeat_interleave" and kwargs.get("output_size") is None:
        return "repeat_interleave without output_size"
    if name in INDEXING:
        indices = [x for x in args[1] if isinstance(x, Tensor)]
        if any(not isinstance(x, OnDevice) for x in indices):
            return f"{name} with an index of the host"
        if any(x.dtype in (torch.bool, torch.uint8) for x in indices):
            return f"{name} with a boolean mask"
    return ""


def kernels(name: str, args: Sequence[Any]) -> int:
    """About how many kernels an operator launches that does not only look at memory in another way."""
    if name in NO_KERNEL:
        return 0
    if name in INDEXING:
        masks = sum(isinstance(x, Tensor) and x.dtype in (torch.bool, torch.uint8) for x in args[1])
        adds = "put" in name and len(args) > 3 and args[3]
        return 1 + KERNELS["nonzero"] * masks + (SORTED_SCATTER if adds else 0)
    if name == "embedding_dense_backward":
        return 2 if args[1].numel() <= FEW_ROWS else MANY_ROWS_KERNELS
    if name.startswith(("_foreach", "_fused")):
        return math.ceil(len(args[0]) / LIST_CHUNK)
    return KERNELS.get(name, 1)

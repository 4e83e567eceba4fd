"""The sLSTM cell over short windows.

Source: Beck et al., xLSTM: Extended Long Short-Term Memory, NeurIPS 2024, eq. 8-18.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.functional.precision import at_least_float


def scalar_memory(gates: Tensor, recurrent: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs of the cell.

    With ``c / n`` as the state r, and the log of the normaliser n without its stabiliser as l:
    ``l_t = log(exp(l_{t-1} + log s(f)) + exp(i))``, ``a = exp(i - l_t)``, ``r_t = r_{t-1} + a (tanh(z) - r_{t-1})``,
    ``y_t = s(o) r_t``. The same function as the paper's, without a division, and stable as it is.

    Args:
        gates: ``(K, 4, H, A, E)``, what K inputs of A windows give to i, f, z, o of H heads, with biases.
        recurrent: ``(4, H, E, E)``, from a head's last output to its four gates.

    Returns:
        Outputs ``(K, H, A, E)``; the last r and l, ``(H, A, E)``, without a gradient. In float32 at least.
    """
    with torch.autocast(gates.device.type, enabled=False):
        result: tuple[Tensor, Tensor, Tensor] = _ScalarMemory.apply(at_least_float(gates), recurrent)
    return result


class _ScalarMemory(torch.autograd.Function):
    """The steps with their gradient written out, which stores 6 numbers for each unit and step instead of about 20.

    Going back, a step has three gradients from later ones: of its output y, of its ratio r and of its log-normaliser l.
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, recurrent: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        steps, _, heads, rows, width = gates.shape
        active = gates.clone(memory_format=torch.contiguous_format)
        ratios = gates.new_empty(steps, heads, rows, width)
        outputs = torch.empty_like(ratios)
        ratio = torch.zeros_like(ratios[0])
        log_normaliser = torch.full_like(ratio, -torch.inf)
        for k, mixed in enumerate(active):
            if k:
                mixed += outputs[k - 1] @ recurrent
            i, f, z, o = mixed
            log_normaliser = torch.logaddexp(log_normaliser + F.logsigmoid(f), i)
            i.sub_(log_normaliser).exp_()  # a
            f.neg_().sigmoid_()  # derivative of log s(f)
            z.tanh_()
            o.sigmoid_()
            ratio = torch.lerp(ratio, z, i, out=ratios[k])
            torch.mul(o, ratio, out=outputs[k])
        ctx.save_for_backward(active, ratios, outputs, recurrent)
        last = ratio.clone()
        ctx.mark_non_differentiable(last, log_normaliser)
        return outputs, last, log_normaliser

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor, Tensor]:
        active, ratios, outputs, recurrent = ctx.saved_tensors
        grad_gates, grad_recurrent = torch.empty_like(active), torch.zeros_like(recurrent)
        transposed = recurrent.transpose(-1, -2)
        grad_y = grad[0][-1]
        grad_ratio = grad_log = torch.zeros_like(ratios[0])
        for k in reversed(range(len(active))):
            a, slope, z, o = active[k]
            of_i, of_f, of_z, of_o = grad_gates[k]
            # y = s(o) r
            torch.mul(grad_y, ratios[k], out=of_o).mul_(o).mul_(1 - o)
            grad_ratio = torch.addcmul(grad_ratio, grad_y, o)
            # r = r_before + a (tanh(z) - r_before): a of the gradient goes to tanh(z), the rest to r_before
            through_a = grad_ratio * a
            torch.addcmul(through_a, through_a * z, z, value=-1, out=of_z)
            grad_ratio = grad_ratio - through_a
            # a = exp(i - l); l = logaddexp(l_before + log s(f), i) has derivative a by i and 1 - a by the other
            through_a = through_a * (z - ratios[k - 1] if k else z)
            rest = grad_log - through_a
            torch.addcmul(through_a, rest, a, out=of_i)
            grad_log = rest.addcmul_(rest, a, value=-1)
            torch.mul(grad_log, slope, out=of_f)
            if k:
                grad_recurrent += outputs[k - 1].transpose(-1, -2) @ grad_gates[k]
                grad_y = grad[0][k - 1] + (grad_gates[k] @ transposed).sum(0)
        return grad_gates, grad_recurrent

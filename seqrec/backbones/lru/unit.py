"""Linear recurrent unit: a diagonal complex recurrence, as a parallel scan over time and as one step.

Source: Orvieto et al., Resurrecting Recurrent Neural Networks for Long Sequences, ICML 2023, in the form of
LRURec (Yue et al., WSDM 2024): no skip term, only the real part of the output. Complex maps are real linear
layers whose state side interleaves real and imaginary parts, so that optimizers and mixed precision see reals.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.functional.precision import at_least_float
from seqrec.nn.packing import Packing


class LinearRecurrentUnit(nn.Module):
    """``h_t = lambda * h_{t-1} + gamma * (W_in x_t + b_in)``, ``y_t = Re(W_out h_t + b_out)``.

    ``lambda = exp(-exp(nu_log) + i exp(theta_log))`` has a modulus below 1 whatever the parameters are.

    Args:
        dim: width D of inputs and outputs.
        state_dim: M, complex entries of the state.
        min_radius, max_radius: ring within which lambda starts, uniformly by area.
    """

    def __init__(self, dim: int, state_dim: int, min_radius: float = 0.8, max_radius: float = 0.99) -> None:
        super().__init__()
        self.input = nn.Linear(dim, 2 * state_dim)
        self.output = nn.Linear(2 * state_dim, dim)  # of (real, imaginary): columns (Re W_out, -Im W_out)
        radius, angle = torch.rand(2, state_dim)
        nu_log = torch.log(-0.5 * torch.log(radius * (max_radius**2 - min_radius**2) + min_radius**2))
        gamma_log = 0.5 * torch.log1p(-torch.exp(-2 * torch.exp(nu_log)))
        self.ring_log = nn.Parameter(torch.stack([nu_log, torch.log(2 * math.pi * angle), gamma_log]))

    def forward(self, tokens: Tensor, packing: Packing) -> Tensor:
        """Outputs ``(N, D)`` of packed tokens ``(N, D)``; each history starts from a state of zero."""
        decay = self.decay()

        def recur(drive: Tensor, valid: Tensor) -> Tensor:
            return as_real(linear_recurrence(as_complex(drive), decay))

        return self.output(packing.by_length(recur, self.drive(tokens)))

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Output ``(B, D)`` and next state ``(B, M)`` complex of one input ``(B, D)`` and the state before it."""
        state = self.decay() * state + as_complex(self.drive(x))
        return self.output(as_real(state)), state

    def decay(self) -> Tensor:
        """lambda, ``(M,)`` complex."""
        nu, theta = self.ring_log[:2].exp()
        return torch.polar(torch.exp(-nu), theta)

    def drive(self, x: Tensor) -> Tensor:
        """``gamma * (W_in x + b_in)`` as interleaved reals, ``(..., D)`` -> ``(..., 2 * M)``."""
        gamma = self.ring_log[2].exp().repeat_interleave(2)  # scales the bias too; on the weights it costs less
        return F.linear(x, self.input.weight * gamma[:, None], self.input.bias * gamma)


def linear_recurrence(x: Tensor, decay: Tensor) -> Tensor:
    """``h_t = decay * h_{t-1} + x_t`` with ``h_{-1} = 0``, in ceil(log2(L)) passes over half of the positions.

    Args:
        x: ``(B, L, M)``, L at least 1.
        decay: ``(M,)``, of x's type, real or complex.

    Returns:
        ``(B, L, M)``.
    """
    states: Tensor = _Scan.apply(x, decay)
    return states


class _Scan(torch.autograd.Function):
    """The gradient of a linear recurrence is the same recurrence from the newest position to the oldest."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, decay: Tensor) -> Tensor:
        states = _scan_(x.clone(memory_format=torch.contiguous_format), decay)
        ctx.save_for_backward(states, decay)
        return states

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor, Tensor]:
        states, decay = ctx.saved_tensors
        grad_x = _scan_(grad[0].flip(1), decay.conj().resolve_conj()).flip(1)
        grad_decay = (grad_x[:, 1:] * states[:, :-1].conj()).sum((0, 1))
        return grad_x, grad_decay


def _scan_(x: Tensor, decay: Tensor) -> Tensor:
    """:func:`linear_recurrence` in place on a contiguous ``x``.

    Blocks of ``half`` positions are finished; each second one receives the last state of the block before it.
    """
    rows, length, width = x.shape
    powers = decay[None]  # decay ** 1, ..., decay ** half
    half = 1
    while half < length:
        whole = length // (2 * half)
        blocks = x[:, : whole * 2 * half].view(rows, whole, 2 * half, width)
        blocks[:, :, half:].addcmul_(blocks[:, :, half - 1 : half], powers)
        rest = x[:, whole * 2 * half :]
        if rest.shape[1] > half:
            rest[:, half:].addcmul_(rest[:, half - 1 : half], powers[: rest.shape[1] - half])
        powers = torch.cat([powers, powers * powers[-1]])
        half *= 2
    return x


def as_complex(x: Tensor) -> Tensor:
    """``(..., 2 * M)`` interleaved reals -> ``(..., M)`` complex, in float32 at least."""
    return torch.view_as_complex(at_least_float(x).unflatten(-1, (-1, 2)).contiguous())


def as_real(x: Tensor) -> Tensor:
    """The inverse of :func:`as_complex`."""
    return torch.view_as_real(x).flatten(-2)

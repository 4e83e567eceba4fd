"""Linear recurrent units in real arithmetic: powers of lambda are constants of the graph, a recurrence is a product.

The state after position t is the sum over s of ``lambda^(t - s) * drive_s``. Shapes: M complex entries of a state.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.backbones.lru.lru import LRU, LRUBlock
from seqrec.backbones.lru.unit import LinearRecurrentUnit


class RealUnit(LinearRecurrentUnit):
    """See :class:`~seqrec.backbones.lru.unit.LinearRecurrentUnit`.

    Attributes:
        powers: ``(2, max_length, M)``, real and imaginary parts of lambda^0, lambda^1, ...
        scaled: ``(2 * M, D + 1)``, ``gamma * W_in`` and, in the last column, ``gamma * b_in``.
    """

    powers: Tensor
    scaled: Tensor

    def make_constants(self, max_length: int) -> None:
        """Make the powers in float64, because angles grow with the exponent, and the scaled map."""
        gamma = self.ring_log[2].detach().exp().repeat_interleave(2)[:, None]
        joined = torch.cat([self.input.weight, self.input.bias[:, None]], 1).detach()
        self.register_buffer("scaled", gamma * joined)
        nu, theta = self.ring_log[:2].detach().double().exp()
        exponent = torch.arange(max_length, dtype=torch.float64)[:, None]
        powers = torch.polar(torch.exp(-nu * exponent), theta * exponent)
        self.register_buffer("powers", torch.view_as_real(powers).movedim(-1, 0).to(self.ring_log.dtype))

    def drive(self, x: Tensor) -> Tensor:
        """See :meth:`LinearRecurrentUnit.drive`."""
        return F.linear(x, self.scaled[:, :-1], self.scaled[:, -1])

    def of_all(self, x: Tensor) -> Tensor:
        """Outputs ``(B, L, D)`` of inputs ``(B, L, D)``."""
        place = torch.arange(x.shape[1], device=x.device)
        age = place[:, None] - place  # (L, L), of position s at position t
        keep = (age >= 0).to(x.dtype)
        weight = self.powers[:, age.clamp(min=0)] * keep[..., None]
        real, imaginary = weight.permute(0, 3, 1, 2)  # (M, L, L)
        driven = self.drive(x).unflatten(-1, (-1, 2)).permute(3, 2, 1, 0)  # (2, M, L, B)
        states = [
            real @ driven[0] - imaginary @ driven[1],
            real @ driven[1] + imaginary @ driven[0],
        ]
        outputs: Tensor = self.output(torch.stack(states).permute(3, 2, 1, 0).flatten(-2))
        return outputs

    def of_newest(self, x: Tensor, last: Tensor) -> Tensor:
        """Outputs ``(B, D)`` at columns ``last`` ``(B,)`` of inputs ``(B, L, D)``."""
        age = last[:, None] - torch.arange(x.shape[1], device=x.device)  # (B, L)
        keep = (age >= 0).to(x.dtype)
        real, imaginary = self.powers[:, age.clamp(min=0)] * keep[..., None]  # (B, L, M)
        driven = self.drive(x).unflatten(-1, (-1, 2))
        one, other = driven[..., 0], driven[..., 1]
        states = [(real * one - imaginary * other).sum(1), (real * other + imaginary * one).sum(1)]
        outputs: Tensor = self.output(torch.stack(states, -1).flatten(-2))
        return outputs

    def of_next(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Output ``(B, D)`` and next state ``(B, 2 * M)`` interleaved, of one input ``(B, D)`` and the state before."""
        real, imaginary = self.powers[:, 1]
        one, other = state.unflatten(-1, (-1, 2)).unbind(-1)
        turned = torch.stack([real * one - imaginary * other, real * other + imaginary * one], -1)
        state = turned.flatten(-2) + self.drive(x)
        return self.output(state), state


class RealLRU(LRU):
    """See :class:`~seqrec.backbones.lru.LRU`; the last block works on the newest items alone."""

    def newest_of(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.newest_of`."""
        *blocks, final = cast("list[LRUBlock]", list(self.blocks))
        tokens, last = self.norm(x), valid.sum(1) - 1
        for block in blocks:
            tokens = block.finish(tokens, cast(RealUnit, block.recurrence).of_all(tokens))
        newest = tokens[torch.arange(x.shape[0], device=x.device), last]
        return final.finish(newest, cast(RealUnit, final.recurrence).of_newest(tokens, last))

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """See :class:`~seqrec.export.forms.Stepwise`: the states of all blocks."""
        return {"state": (len(self.blocks), 2 * self.state_dim)}

    def step_of(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`~seqrec.export.forms.Stepwise`; the state is ``(B, blocks, 2 * M)``."""
        x, states = self.norm(x), []
        for i, block in enumerate(cast("list[LRUBlock]", list(self.blocks))):
            y, after = cast(RealUnit, block.recurrence).of_next(x, state[:, i])
            x = block.finish(x, y)
            states.append(after)
        return x, torch.stack(states, 1)

"""Random changes of hidden states (EASNRec eqs. (3)-(7)): dropout, perturbation, mask, or one of the three.

The arithmetic takes its draws as arguments. The augmentations draw from rng_keys ``(B,)`` (see
:mod:`seqrec.functional.keyed_random`) and change ``states`` ``(B, K, D)``, the newest K positions of each history,
newest first (see :func:`seqrec.functional.pooling.newest`); ``valid`` ``(B, L)`` gives the lengths.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seqrec.functional.augment import lowest, share
from seqrec.functional.keyed_random import integers_of, split, uniform, uniform_of
from seqrec.functional.pooling import widened


def drop_out(states: Tensor, keep: Tensor) -> Tensor:
    """Eq. (4): ``h * m`` of equal shapes, not scaled, as a scale does not change a cosine."""
    return states * keep


def perturb(states: Tensor, delta: Tensor) -> Tensor:
    """Eqs. (5)-(6): ``h * (1 + delta)`` of equal shapes."""
    return states * (1 + delta)


def hide(states: Tensor, hidden: Tensor) -> Tensor:
    """Eq. (7): positions ``hidden`` ``(B, L)`` of ``(B, L, D)`` set to zero."""
    return states.masked_fill(hidden[..., None], 0.0)


def dropout(states: Tensor, valid: Tensor, rng_keys: Tensor, probability: float) -> Tensor:
    """Each element is zeroed with this probability."""
    return drop_out(states, _uniform_like(states, split(rng_keys, states.shape[1])) >= probability)


def perturbation(states: Tensor, valid: Tensor, rng_keys: Tensor, magnitude: float) -> Tensor:
    """Each element grows by a fraction drawn from ``U(0, magnitude)``."""
    return perturb(states, _uniform_like(states, split(rng_keys, states.shape[1])) * magnitude)


def mask(states: Tensor, valid: Tensor, rng_keys: Tensor, ratio: float) -> Tensor:
    """``floor(ratio * n)`` of all n positions are zeroed; the newest stays if otherwise all K were zero."""
    return hide(states, hidden_positions(states.shape[1], valid, uniform(rng_keys, valid.shape[1]), ratio))


def hidden_positions(columns: int, valid: Tensor, drawn: Tensor, ratio: float) -> Tensor:
    """Which of the newest ``columns`` positions :func:`mask` zeroes, ``(B, K)`` bool, of draws ``(B, L)``.

    All are newest first, and so is ``valid``: that padding is on the right means the same from either end.
    """
    hidden = lowest(drawn, valid, share(ratio, valid.sum(1)))
    some_left = (valid & ~hidden)[:, :columns].any(1)
    hidden[:, 0].logical_and_(some_left)
    return widened(hidden[:, :columns], columns)  # a window wider than the batch has no states there to hide


def dynamic(
    states: Tensor, valid: Tensor, rng_keys: Tensor, probability: float, magnitude: float, ratio: float
) -> Tensor:
    """One of :func:`dropout`, :func:`perturbation`, :func:`mask` for each row, with equal chances."""
    columns, length = states.shape[1], valid.shape[1]
    # A row has one of them, so all may use the same draws.
    of_choice, of_position = split(split(rng_keys, 2), max(columns, length)).unbind(1)
    drawn = _uniform_like(states, of_position[:, :columns])
    visible = ~hidden_positions(columns, valid, uniform_of(of_position[:, :length]), ratio)[..., None]
    choice = integers_of(of_choice[:, :1], 3)[..., None]
    # All three multiply the states, by what needs no gradient.
    factor = torch.where(choice == 0, drawn >= probability, torch.where(choice == 1, 1 + drawn * magnitude, visible))
    return states * factor


def _uniform_like(states: Tensor, rng_keys: Tensor) -> Tensor:
    """Draws in [0, 1) for each element of ``(B, K, D)``, of rng_keys ``(B, K)``."""
    return uniform(rng_keys, states.shape[2]).to(states.dtype)

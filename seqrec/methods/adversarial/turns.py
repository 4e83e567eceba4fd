"""AdversarialRecommender: several networks that learn in turns, each with its own optimizer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from seqrec.backbones.base import Backbone
from seqrec.methods.base import BuildOptimizer, Recommender


class AdversarialRecommender(Recommender, ABC):
    """A recommender whose players own disjoint parameters; its training step takes one or more turns.

    Lightning counts every step of every optimizer, so budgets must be given in epochs, not in steps. Under
    DDP use the strategy ``ddp_find_unused_parameters_true``: a turn leaves the others without gradient.

    Args:
        backbone: histories to states.
        optimizer: builds the optimizer of each player.
        clip_norm: largest gradient norm of a player; None clips nothing.
        **base: other arguments of :class:`Recommender`; a scheduler is stepped for each player once an epoch.
    """

    def __init__(
        self, backbone: Backbone, optimizer: BuildOptimizer, clip_norm: float | None = None, **base: Any
    ) -> None:
        super().__init__(backbone, optimizer, **base)
        if clip_norm is not None and clip_norm <= 0:
            raise ValueError(f"clip_norm is {clip_norm}; give a positive norm, or null to clip nothing")
        self.clip_norm = clip_norm
        self.automatic_optimization = False

    @abstractmethod
    def players(self) -> Mapping[str, list[nn.Module]]:
        """The modules of each player. Every parameter belongs to exactly one."""

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """One group a player, in the order of :meth:`players`.

        Raises:
            ValueError: a parameter has two owners or none.
        """
        owner: dict[nn.Parameter, str] = {}
        groups: list[list[nn.Parameter]] = []
        for player, modules in self.players().items():
            group = list(nn.ModuleList(modules).parameters())
            for parameter in group:
                if parameter in owner:
                    raise ValueError(
                        f"players {owner[parameter]!r} and {player!r} share a parameter; give it one owner"
                    )
                owner[parameter] = player
            groups.append(group)
        orphans = [name for name, parameter in self.named_parameters() if parameter not in owner]
        if orphans:
            raise ValueError(f"no player owns {', '.join(orphans)}; add their modules to players()")
        return groups

    @contextmanager
    def turn(self, *players: str) -> Iterator[Callable[[Tensor], None]]:
        """Around the forward pass and the step of one turn: only ``players`` learn, the others are constant.

        Yields:
            ``step(loss)``: one backward pass, then a step of the optimizer of each of ``players``.
        """
        names = list(self.players())
        unknown = [player for player in players if player not in names]
        if unknown:
            raise ValueError(f"there is no player {unknown[0]!r}; the players are {', '.join(names)}")
        resting = [
            parameter
            for player, modules in self.players().items()
            if player not in players
            for parameter in nn.ModuleList(modules).parameters()
            if parameter.requires_grad
        ]

        def step(loss: Tensor) -> None:
            optimizers = self.optimizers()
            optimizers = optimizers if isinstance(optimizers, list) else [optimizers]
            acting = [optimizers[names.index(player)] for player in players]
            self.manual_backward(loss)
            for optimizer in acting:
                optimizer.step()
                optimizer.zero_grad()

        for parameter in resting:
            parameter.requires_grad_(False)
        try:
            yield step
        finally:
            for parameter in resting:
                parameter.requires_grad_(True)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the gradients of one player; here they are unscaled already under mixed precision."""
        if self.clip_norm is not None:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, self.clip_norm)

    def on_train_epoch_end(self) -> None:
        """Step the schedulers, which Lightning leaves alone in manual optimisation."""
        schedulers: Any = self.lr_schedulers() or []
        for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
            scheduler.step()

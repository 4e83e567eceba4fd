"""AdversarialRecommender: several networks that learn in turns, each with its own optimizer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from torch import Tensor, nn
from torch.optim import Optimizer

from seqrec.backbones.base import Backbone
from seqrec.data.batch import Batch
from seqrec.methods.base import BuildOptimizer, Recommender, interval
from seqrec.nn.clipping import ClipAlgorithm


class AdversarialRecommender(Recommender, ABC):
    """A recommender whose players own disjoint parameters; its training step takes one or more turns.

    Lightning counts every step of every optimizer, so budgets must be given in epochs, not in steps. Under
    DDP use the strategy ``ddp_find_unused_parameters_true``: a turn leaves the others without gradient.

    Args:
        backbone: histories to states.
        optimizer: builds the optimizer of each player.
        clip_norm: largest gradient norm of a player; None clips nothing.
        **base: other arguments of :class:`Recommender`; each player has a scheduler of its own.

    Attributes:
        clip_limit, clip_algorithm: as ``trainer.gradient_clip_val`` and ``trainer.gradient_clip_algorithm``, for each
            player by itself; a limit of None clips nothing.
        accumulate: as ``trainer.accumulate_grad_batches``: a turn steps once in so many batches, and after the last of
            an epoch, with the mean of their gradients in that turn.
    """

    clip_limit: float | None = None
    clip_algorithm: ClipAlgorithm = "norm"
    accumulate: int = 1

    def __init__(
        self, backbone: Backbone, optimizer: BuildOptimizer, clip_norm: float | None = None, **base: Any
    ) -> None:
        super().__init__(backbone, optimizer, **base)
        if clip_norm is not None and clip_norm <= 0:
            raise ValueError(f"clip_norm is {clip_norm}; give a positive norm, or null to clip nothing")
        self.clip_norm = clip_norm
        self.automatic_optimization = False
        self._steps_now = True  # after this batch; False while gradients gather
        self._gathered: dict[tuple[str, ...], dict[nn.Parameter, Tensor]] = {}  # of each turn, so far

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
            ``step(loss)``: one backward pass, then a step of the optimizer of each of ``players``, or none while
            :attr:`accumulate` batches gather gradients.
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
            self.manual_backward(loss / self.accumulate)
            self._gather(players, [p for name in players for p in nn.ModuleList(self.players()[name]).parameters()])
            for optimizer in acting if self._steps_now else ():
                optimizer.step()
                optimizer.zero_grad()

        for parameter in resting:
            parameter.requires_grad_(False)
        try:
            yield step
        finally:
            for parameter in resting:
                parameter.requires_grad_(True)

    def _gather(self, players: tuple[str, ...], parameters: Sequence[nn.Parameter]) -> None:
        """Add what earlier batches gave in this turn to its gradients; set the sum aside if no step follows.

        A player that acts in several turns has a gradient in each; they must not mix.
        """
        earlier = self._gathered.pop(players, {})
        for parameter in parameters:
            if parameter in earlier:
                known = earlier[parameter]
                parameter.grad = known if parameter.grad is None else known + parameter.grad
        if not self._steps_now:
            self._gathered[players] = {p: p.grad for p in parameters if p.grad is not None}
            for parameter in parameters:
                parameter.grad = None

    def on_train_batch_start(self, batch: Batch, batch_index: int) -> None:
        """Decide whether the turns of this batch step or gather gradients."""
        self._steps_now = (batch_index + 1) % self.accumulate == 0 or self.trainer.is_last_batch

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the gradients of one player, which Lightning leaves alone in manual optimisation."""
        own = self.clip_norm is not None
        limit, algorithm = (self.clip_norm, "norm") if own else (self.clip_limit, self.clip_algorithm)
        self.configure_gradient_clipping(optimizer, limit, algorithm)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_index: int) -> None:
        """Step the schedulers that go with the steps; Lightning leaves them alone in manual optimisation."""
        if self._steps_now:
            self._step_schedulers("step")

    def on_train_epoch_end(self) -> None:
        """Step the schedulers that go with the epochs."""
        self._step_schedulers("epoch")

    def _step_schedulers(self, after: Literal["step", "epoch"]) -> None:
        schedulers: Any = self.lr_schedulers() or []
        for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
            if interval(scheduler) == after:
                scheduler.step()

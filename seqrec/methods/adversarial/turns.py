"""AdversarialRecommender: several networks that learn in turns, each with its own optimizer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from pytorch_lightning.core.optimizer import do_nothing_closure
from torch import Tensor, nn
from torch.optim import Optimizer

from seqrec.backbones.base import Backbone
from seqrec.data.batch import Batch
from seqrec.methods.base import BuildOptimizer, Recommender, interval
from seqrec.nn.clipping import ClipAlgorithm


@contextmanager
def constant(*modules: nn.Module | None) -> Iterator[None]:
    """What is computed within the block gives these modules no gradient; it may pass through them to others."""
    parameters = [p for module in modules if module is not None for p in module.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


class AdversarialRecommender(Recommender, ABC):
    """A recommender whose players own disjoint parameters; its training step takes one or more turns.

    The steps that follow one batch count as one, so that a budget in steps means the same for all models. Under
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
        self._counted = False  # whether the trainer has counted a step of this batch
        self._gathered: dict[tuple[str, ...], dict[nn.Parameter, Tensor]] = {}  # of each turn, so far

    @abstractmethod
    def players(self) -> Mapping[str, list[nn.Module]]:
        """The modules of each player. Every parameter belongs to exactly one."""

    def turns(self) -> Sequence[Mapping[str, float]]:
        """Turns whose players have an optimizer each for that turn, and the factors of its learning rate.

        A player that acts in several such turns has moments of its own in each. Here all share one turn, so that a
        player has one optimizer, whichever players act together.
        """
        return [dict.fromkeys(self.players(), 1.0)]

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """One group for each player of each of :meth:`turns`.

        Raises:
            ValueError: a parameter has two owners or none.
        """
        owner: dict[nn.Parameter, str] = {}
        groups: dict[str, list[nn.Parameter]] = {}
        for player, modules in self.players().items():
            group = list(nn.ModuleList(modules).parameters())
            for parameter in group:
                if parameter in owner:
                    raise ValueError(
                        f"players {owner[parameter]!r} and {player!r} share a parameter; give it one owner"
                    )
                owner[parameter] = player
            groups[player] = group
        orphans = [name for name, parameter in self.named_parameters() if parameter not in owner]
        if orphans:
            raise ValueError(f"no player owns {', '.join(orphans)}; add their modules to players()")
        return [groups[player] for turn in self.turns() for player in turn]

    def build_optimizers(self) -> list[Optimizer]:
        """One optimizer for each group of :meth:`parameter_groups`, at the learning rate of its turn."""
        optimizers = super().build_optimizers()
        factors = [factor for turn in self.turns() for factor in turn.values()]
        for optimizer, factor in zip(optimizers, factors, strict=True):
            for group in optimizer.param_groups:
                group["lr"] *= factor
        return optimizers

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
        resting = [module for player, modules in self.players().items() if player not in players for module in modules]

        def step(loss: Tensor) -> None:
            acting = self._optimizers_of(players)
            self.manual_backward(loss if self.accumulate == 1 else loss / self.accumulate)
            self._gather(players, [p for name in players for p in nn.ModuleList(self.players()[name]).parameters()])
            for optimizer in acting if self._steps_now else ():
                if self._counted:  # the trainer would count each step of each optimizer
                    optimizer._on_before_step = optimizer._on_after_step = do_nothing_closure
                optimizer.step()
                optimizer.zero_grad()
                self._counted = True

        with constant(*resting):
            yield step

    def term(self, name: str, value: Tensor) -> Tensor:
        """``value``, a term of what a turn descends; noted before its backward pass where someone watches."""
        if self.watched is not None:
            self.watched[name] = value
        return value

    def _optimizers_of(self, players: Sequence[str]) -> list[Any]:
        """Those of the first turn that all these players share."""
        optimizers = self.optimizers()
        optimizers = optimizers if isinstance(optimizers, list) else [optimizers]
        first = 0
        for turn in self.turns():
            if set(players) <= turn.keys():
                return [optimizers[first + list(turn).index(player)] for player in players]
            first += len(turn)
        raise ValueError(f"{', '.join(players)} share no turn; see turns()")

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

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse the state of other optimizers, which could only be loaded into the wrong ones.

        Raises:
            ValueError: their number, or that of their groups of parameters, differs.
        """
        stored = [len(state["param_groups"]) for state in checkpoint.get("optimizer_states", [])]
        wanted = [len(optimizer.param_groups) for optimizer in self.build_optimizers()]
        if stored not in ([], wanted):
            raise ValueError(
                "the run was stored with other optimizers than its model has in this version (see CHANGELOG.md), so it "
                "cannot be continued; its weights can still be used, or start the training anew"
            )
        super().on_load_checkpoint(checkpoint)

    def on_train_batch_start(self, batch: Batch, batch_index: int) -> None:
        """Decide whether the turns of this batch step or gather gradients."""
        self._counted = False
        self._steps_now = (batch_index + 1) % self.accumulate == 0 or self.trainer.is_last_batch

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the gradients of one player, which Lightning leaves alone in manual optimisation."""
        own = self.clip_norm is not None
        limit, algorithm = (self.clip_norm, "norm") if own else (self.clip_limit, self.clip_algorithm)
        self.configure_gradient_clipping(optimizer, limit, algorithm)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_index: int) -> None:
        """Step the schedulers that go with the steps; Lightning leaves them alone in manual optimisation."""
        super().on_train_batch_end(outputs, batch, batch_index)
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

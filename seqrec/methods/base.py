"""Recommender: the base of every method that learns. Training differs; scoring is the same for all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from seqrec.backbones.base import Backbone
from seqrec.data.batch import Batch, Histories
from seqrec.functional import keyed_random as keyed
from seqrec.functional.losses import NextItemLoss, draws, weighed, weighs
from seqrec.functional.softmax.divided import is_divided, part, scores
from seqrec.methods.backbones import check_backbone
from seqrec.methods.epoch_means import EpochMeans
from seqrec.methods.ranker import Ranker
from seqrec.nn.chosen import STEP, Chosen, choose
from seqrec.nn.clipping import clip_gradients
from seqrec.nn.packing import static_shapes
from seqrec.nn.sharding import is_sharded, shard

BuildOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]
BuildScheduler = Callable[[Optimizer], LRScheduler]
DivideItems = Callable[[nn.Embedding, DeviceMesh], nn.Embedding]

WITH_WEIGHTS = ("training_step", "validation_step", "test_step", "on_train_epoch_start", "hold")
"""Methods that compute with the weights and are called from outside; under ``trainer=fsdp`` weights are whole there."""


def interval(scheduler: LRScheduler) -> Literal["step", "epoch"]:
    """After what a scheduler is stepped: a step of its optimizer, or an epoch."""
    return "step" if getattr(scheduler, "interval", "epoch") == "step" else "epoch"


class Task(NamedTuple):
    """What a loss learns from a batch, beside the states.

    Attributes:
        chosen: the M supervised positions.
        target: ``(M,)`` ids 1..I.
        rng_keys: ``(M,)``, of the loss; without a meaning where it draws nothing.
        weight: ``(M,)``, of the positions; None where they are all the same.
    """

    chosen: Chosen
    target: Tensor
    rng_keys: Tensor
    weight: Tensor | None


class Recommender(Ranker, ABC):
    """A backbone and a way to learn from batches.

    A subclass writes :meth:`training_step`; only :meth:`query`, :meth:`asking` and :meth:`output_table` change scoring.

    Args:
        backbone: histories to states.
        optimizer: builds the optimizer from parameters.
        scheduler: builds a learning-rate scheduler, stepped once an epoch, or after each step of the optimizer where
            its attribute ``interval`` is ``step``.
        sparse_items: gradients of looked-up items hold their rows only, for catalogues of a million items
            (``+overlay=sparse_items``).
        table: builds the item table that the processes of a run divide (``model/table=sharded``) from the whole one;
            None: each process has the whole one.
        **ranker: other arguments of :class:`~seqrec.methods.ranker.Ranker`.

    Attributes:
        needs: class of the backbones that the method can learn with.
        needs_causal: True if the method always learns at older positions, whose states may not depend on newer items;
            False if it needs states that do; None if both will do.
        uses_attributes: the method learns from attributes of the items.
        reads_histories: False of a method that knows users alone; its queries are rows of a table.
        appends_mask: a query is what becomes of a mask token behind the history; a full history loses its oldest item.
        always_drop: with that, every history loses its oldest item.
        may_divide_items: all that the method does with the item table can be done with a divided one.
        compiled_parts: names of the methods that go from a batch to its loss without a look at the host, see
            :meth:`compile_parts`.
        last_terms: what :meth:`log_terms` was given by the last step, for those who look at single steps.
        watched: takes the terms of a step, with their graph, before its backward pass; None where nobody looks at them.
    """

    needs: type = Backbone
    needs_causal: bool | None = None
    uses_attributes: bool = False
    reads_histories: bool = True
    appends_mask: bool = False
    always_drop: bool = False
    may_divide_items: bool = False
    compiled_parts: tuple[str, ...] = ()

    def __init__(
        self,
        backbone: Backbone,
        optimizer: BuildOptimizer,
        scheduler: BuildScheduler | None = None,
        sparse_items: bool = False,
        table: DivideItems | None = None,
        **ranker: Any,
    ) -> None:
        super().__init__(backbone, **ranker)
        check_backbone(type(self), backbone, self.needs, self.needs_causal)
        self.backbone.item_embedding.sparse = sparse_items
        self.divide_items, self.divided_items = table, table is not None
        self.build_optimizer, self.build_scheduler = optimizer, scheduler
        self.last_terms: dict[str, Tensor] = {}
        self.watched: dict[str, Tensor] | None = None
        self.epoch_means = EpochMeans()

    @abstractmethod
    def training_step(self, batch: Batch, batch_index: int) -> Tensor | None:
        """Learn from one batch; returns the loss under automatic optimisation."""

    def query(self, histories: Histories) -> Tensor:
        """Vectors ``(B, D)`` that ask for the next item; the state at the newest item unless a method overrides it."""
        return self.asking(self.backbone.newest(histories.items))

    def asking(self, newest: Tensor) -> Tensor:
        """What :meth:`query` makes of the newest states ``(B, D)``; the same vectors unless a method overrides it.

        A method that overrides :meth:`query` calls it there, so that an exported graph can do the same.
        """
        return newest

    def output_table(self) -> tuple[Tensor, Tensor | None]:
        """Vectors ``(I, D)`` of the items that are asked for, and their bias ``(I,)`` or None.

        The backbone's item vectors without a bias unless a method overrides it.
        """
        return self.backbone.item_matrix, None

    @final
    def score(self, histories: Histories) -> Tensor:
        """See :meth:`Ranker.score`: products of queries and the output table, in float32, plus the bias."""
        items = self.backbone.item_embedding.weight
        if is_divided(items):
            return scores(self.query(histories).float(), part(items, 1, len(items) - 1))
        table, bias = self.output_table()
        query = self.query(histories)
        return F.linear(query.float(), table.float(), None if bias is None else bias.float())

    def users(self, histories: Histories) -> Tensor:
        """User indices ``(B,)``, for methods whose queries depend on who asks (:attr:`knows_users`).

        Raises:
            ValueError: the users are unknown.
        """
        if histories.user is None:
            raise ValueError(
                f"{type(self).__name__} has learned a vector for each user and scores histories of known users only; "
                "give the users' numbers with the histories, or choose a model that needs items alone"
            )
        return histories.user

    def rng_keys(self, example: Tensor, stream: keyed.Stream) -> Tensor:
        """Keys of the random draws of training windows ``example`` in this epoch, for one use of them."""
        return keyed.rng_keys(self.seed, self.current_epoch, example, stream)

    def rng_keys_of_streams(self, example: Tensor, *streams: keyed.Stream) -> tuple[Tensor, ...]:
        """:meth:`rng_keys` for each of several uses, in one go."""
        return keyed.rng_keys_of_streams(self.seed, self.current_epoch, example, streams)

    def log_terms(self, batch: Batch, terms: Mapping[str, Tensor]) -> None:
        """Log scalar terms of a step as ``train/<name>``: means over the examples of an epoch, on all ranks."""
        self.last_terms = {f"train/{name}": value.detach() for name, value in terms.items()}
        self.epoch_means.add(self.last_terms, len(batch.row))
        if self.watched is not None:
            self.watched.update(terms)

    def on_train_start(self) -> None:
        """Steps that were taken before do not count."""
        super().on_train_start()
        self.epoch_means = EpochMeans()

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_index: int) -> None:
        """After the last batch of an epoch, also one that a budget ends, log the means of its steps."""
        if self.trainer.is_last_batch or self.trainer.fit_loop.epoch_loop.done:
            means = self.epoch_means.taken(lambda x: self.trainer.strategy.reduce(x, reduce_op="sum"))
            self.log_dict(means, on_step=False, on_epoch=True, batch_size=1)

    def position_rng_keys(self, batch: Batch) -> Tensor:
        """A random key for each position, ``(B, L)``, counted from the newest so that trimming changes nothing."""
        length = batch.items.shape[1]
        oldest_first = (batch.items != 0).sum(1, keepdim=True) - 1 - torch.arange(length, device=batch.row.device)
        of_examples = self.rng_keys(batch.row, keyed.Stream.NEGATIVES)
        return keyed.split(of_examples, length).gather(1, oldest_first.clamp(min=0))

    def next_item_loss(self, loss: NextItemLoss, batch: Batch, states: Tensor | None = None) -> Tensor:
        """``loss`` over the supervised positions of a batch; its draws are :attr:`Stream.NEGATIVES`.

        Args:
            loss: see :mod:`seqrec.functional.losses`.
            batch: M positions of it are supervised.
            states: ``(M, D)`` at :meth:`supervised`; None encodes the histories, only their newest items where
                those alone are supervised.

        Raises:
            ValueError: older positions of a backbone that is not causal are to learn what they have seen.
        """
        task = self.task(loss, batch)
        if states is not None:
            return self.loss_at(loss, task, states)
        newest_only = batch.counts.supervised == len(batch.row)
        if not (newest_only or self.backbone.causal):
            raise ValueError(
                "states of this backbone depend on newer items, so the newest position alone may learn the next "
                "item; choose windows=prefixes"
            )
        return self.states_and_loss(loss, task, batch.items, newest_only)

    def task(self, loss: NextItemLoss, batch: Batch) -> Task:
        """What a loss is to learn from a batch, beside the states."""
        chosen = self.supervised(batch, loss)
        target = chosen.of(batch.next_items)
        rng_keys = chosen.of(self.position_rng_keys(batch)) if draws(loss) else target
        return Task(chosen, target, rng_keys, chosen.weight)

    def states_and_loss(self, loss: NextItemLoss, task: Task, items: Tensor, newest_only: bool) -> Tensor:
        """``loss`` of histories ``(B, L)``, from their embeddings on."""
        states = self.backbone.newest(items) if newest_only else self.backbone.at(items, task.chosen)
        return self.loss_at(loss, task, states)

    def loss_at(self, loss: NextItemLoss, task: Task, states: Tensor) -> Tensor:
        """``loss`` of states ``(M, D)`` at the positions of a task."""
        table = self.backbone.item_embedding.weight
        found: Tensor = weighed(loss, task.weight)(states, task.target, table, task.rng_keys)
        return found

    def compile_parts(self, backend: str = "inductor") -> None:
        """Compile :attr:`compiled_parts`, each to one graph for all sizes of batches; the weights keep their names."""
        torch._dynamo.config.allow_rnn = True  # off by default, because compiling does not make recurrences faster
        for name in self.compiled_parts:
            setattr(self, name, torch.compile(getattr(self, name), backend=backend, fullgraph=True, dynamic=True))

    def supervised(self, batch: Batch, loss: NextItemLoss | None = None) -> Chosen:
        """The supervised positions of a batch, B where the newest items alone are.

        Args:
            batch: of B histories.
            loss: what they are for; where it takes no weights, all of them must exist.
        """
        mask = batch.next_items != 0
        if not static_shapes(mask) or (loss is not None and not weighs(loss)):
            return Chosen(mask)
        count = batch.counts.supervised
        return choose(mask, count, 1 if count == len(batch.row) else STEP)

    @final
    def configure_model(self) -> None:
        """Divide the weights where the strategy has processes for it (``trainer=fsdp``)."""
        if self.device_mesh is None or is_sharded(self):
            return
        mesh, backbone = self.device_mesh["data_parallel"], self.backbone
        divided: list[nn.Parameter] = []
        if self.divide_items is not None:
            backbone.item_embedding = self.divide_items(backbone.item_embedding, mesh)
            divided = list(backbone.item_embedding.parameters())
        shard(self, mesh, WITH_WEIGHTS, step="training_step", divided=divided)

    @final
    def configure_optimizers(self) -> Any:
        """The optimizers of :meth:`build_optimizers`, each with its own scheduler."""
        optimizers = self.build_optimizers()
        if not optimizers:
            return None  # nothing to learn, as in popularity
        if self.build_scheduler is None:
            return optimizers
        schedulers = [self.build_scheduler(optimizer) for optimizer in optimizers]
        return optimizers, [{"scheduler": each, "interval": interval(each)} for each in schedulers]

    def build_optimizers(self) -> list[Optimizer]:
        """One optimizer for each group of :meth:`parameter_groups`."""
        return [self.build_optimizer(group) for group in self.parameter_groups()]

    @final
    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clip the gradients of one optimizer; Lightning itself refuses fused optimizers under mixed precision.

        A fused optimizer divides by the loss scale of float16 within its step, so here that must be done before.
        """
        if not gradient_clip_val:
            return
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if scaler is not None and getattr(optimizer, "_step_supports_amp_scaling", False):
            scaler.unscale_(optimizer)
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        clip_gradients(parameters, gradient_clip_val, "value" if gradient_clip_algorithm == "value" else "norm")

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Parameters of each optimizer: here one group with all of them."""
        parameters = [p for p in self.parameters() if p.requires_grad]
        return [parameters] if parameters else []

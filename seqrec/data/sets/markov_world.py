"""A world of item histories whose best possible recommender is known.

Each user has a fixed hidden type. A hidden chain moves over the items by a sparse transition table of that
type, whose weights follow a slow periodic preference; each observation is the chain's item, or with
probability ``noise`` an item drawn uniformly. The posterior predictive of the next observation is exact (the
forward filter over type and state: L. R. Rabiner, A Tutorial on Hidden Markov Models, Proc. IEEE 77(2), 1989,
eq. 19-21 and the scaling of section V.A), and ranking by it gives the highest expected Recall and NDCG.

Shapes: B histories, L positions, I items, K types, S successors of a state, P steps of the period.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import polars as pl
import torch
from torch import Tensor

from seqrec.data.sequences import Sequences

SEASON_STRENGTH = 2.0
"""How far the season moves a successor's weight: by a factor between exp(-2) and exp(2)."""

POPULARITY_EXPONENT = 0.7
"""Zipf exponent of the first state and of how often an item is a successor: popularity means something."""

SEASONS, POPULARITY_TIERS = 8, 4
"""Kinds of items that the attributes distinguish."""

_CELLS = 1 << 20
"""Numbers held at once by the filter and while successors are drawn: 8 MiB in float64, about a cache."""


@dataclass(frozen=True)
class World:
    """Parameters of a world; its tables follow from them and are made at first use.

    The tables do not depend on ``noise``, and those of the first types do not depend on ``num_types``.

    Attributes:
        num_items: items, and hidden states, I.
        num_types: hidden user types, K, each equally frequent.
        branching: successors of each state under each type, S.
        period: steps after which the preference repeats; 1 is a preference that stays.
        noise: probability that an observation is an item drawn uniformly and says nothing.
        seed: seeds the tables.

    Raises:
        ValueError: an option outside its range.
    """

    num_items: int
    num_types: int
    branching: int
    period: int
    noise: float
    seed: int

    def __post_init__(self) -> None:
        for option in ("num_items", "num_types", "branching", "period"):
            value = getattr(self, option)
            if value < 1:
                raise ValueError(f"synthetic data: {option}={value} must be at least 1; raise it")
        if self.branching > self.num_items:
            raise ValueError(
                f"synthetic data: branching={self.branching} is above num_items={self.num_items}, but the "
                "successors of a state are different items; lower branching or raise num_items"
            )
        if not 0.0 <= self.noise < 1.0:
            raise ValueError(
                f"synthetic data: noise={self.noise} is a probability in [0, 1); at 1 no observation would "
                "say anything: choose a smaller one, such as 0.1"
            )

    @cached_property
    def initial(self) -> Tensor:
        """``(I,)`` float64, probability of the first state: a Zipf law over a random order of the items."""
        order = torch.randperm(self.num_items, generator=_generator(self.seed, 0))
        weight = (1.0 + order.double()) ** -POPULARITY_EXPONENT
        return weight / weight.sum()

    @cached_property
    def successors(self) -> Tensor:
        """``(K, I, S)`` int64, the states ``0..I-1`` that may follow each state, all different."""
        generator = _generator(self.seed, 1)
        rows = max(1, _CELLS // self.num_items)
        drawn = []
        for some in torch.arange(self.num_types * self.num_items).split(rows):
            # A race of exponential clocks: the first S to ring are a weighted draw without replacement.
            uniform = torch.rand(len(some), self.num_items, generator=generator, dtype=torch.float64)
            ring = -torch.log1p(-uniform) / self.initial
            drawn.append(ring.topk(self.branching, largest=False).indices)
        return torch.cat(drawn).view(self.num_types, self.num_items, self.branching)

    @cached_property
    def season(self) -> Tensor:
        """``(I,)`` float64 in [0, 1), the part of the period in which each item is liked best."""
        return torch.rand(self.num_items, generator=_generator(self.seed, 2), dtype=torch.float64)

    @cached_property
    def attributes(self) -> Tensor:
        """``(I, 3)`` int32, what may be known of each item, as numbers without gaps.

        The eighth of the period that its season lies in, the quarter of the items that it belongs to by popularity, and
        the user type that has it most often.
        """
        tier = self.initial.argsort(descending=True).argsort() * POPULARITY_TIERS // self.num_items
        known = [(self.season * SEASONS).long(), SEASONS + tier, SEASONS + POPULARITY_TIERS + self.audience]
        return 1 + torch.unique(torch.stack(known, dim=1), return_inverse=True)[1].to(torch.int32)

    @cached_property
    def audience(self) -> Tensor:
        """``(I,)`` int64, the type ``0..K-1`` whose chains are at the item most often in their first two periods."""
        chance = self.initial.repeat(self.num_types, 1)  # (K, I)
        total = chance.clone()
        for time in range(2 * self.period - 1):
            moved = chance[..., None] * self.transitions[time % self.period]
            chance = torch.zeros_like(chance).scatter_add(1, self.successors.flatten(1), moved.flatten(1))
            total += chance
        return total.argmax(0)

    @cached_property
    def transitions(self) -> Tensor:
        """``(P, K, I, S)`` float64, probability of each successor at each phase; sums to 1 over S.

        Each item has its own season: its weight at phase p is ``exp(2 cos(2 pi (p / P - season)))``.
        """
        phase = torch.arange(self.period, dtype=torch.float64)[:, None] / self.period
        preference = SEASON_STRENGTH * torch.cos(2 * math.pi * (phase - self.season))  # (P, I)
        return torch.softmax(preference[:, self.successors], dim=-1)


def check_sizes(num_users: int, shortest: int, longest: int) -> None:
    """Refuse sizes that :func:`sample` cannot draw.

    Raises:
        ValueError: no users, or lengths out of order or below 1.
    """
    if num_users < 1:
        raise ValueError(f"synthetic data: num_users={num_users} must be at least 1; raise it")
    if not 1 <= shortest <= longest:
        raise ValueError(
            f"synthetic data: lengths from shortest={shortest} to longest={longest}; need "
            "1 <= shortest <= longest: lower shortest or raise longest"
        )


def sample(world: World, num_users: int, shortest: int, longest: int, seed: int) -> Sequences:
    """Draw histories whose lengths are uniform on ``shortest..longest``.

    Args:
        world: the world.
        num_users: histories, U.
        shortest, longest: least and greatest number of interactions of a user.
        seed: seeds users, chains and observations; independent of the tables.

    Returns:
        Sequences under the world's numbering: item ``i`` is state ``i - 1``, also where no history has it.

    Raises:
        ValueError: see :func:`check_sizes`.
    """
    check_sizes(num_users, shortest, longest)
    generator = _generator(seed, 3)
    kind = torch.randint(world.num_types, (num_users,), generator=generator)
    length = torch.randint(shortest, longest + 1, (num_users,), generator=generator)
    state = _choose(world.initial.expand(num_users, -1), generator)
    observed = torch.empty(num_users, longest, dtype=torch.int32)
    for time in range(longest):
        stray = torch.rand(num_users, generator=generator) < world.noise
        other = torch.randint(world.num_items, (num_users,), generator=generator)
        observed[:, time] = 1 + torch.where(stray, other, state)
        chance = world.transitions[time % world.period, kind, state]  # (U, S)
        state = world.successors[kind, state, _choose(chance, generator)]
    return Sequences(
        items=observed[torch.arange(longest) < length[:, None]],
        offsets=torch.cat([torch.zeros(1, dtype=torch.int64), length.cumsum(0)]),
        user_ids=pl.Series("user", range(1, num_users + 1)).cast(pl.String),
        item_ids=pl.Series("item", range(1, world.num_items + 1)).cast(pl.String),
        source_order=torch.arange(1, world.num_items + 1),
        attributes=world.attributes,
    )


def predictive(world: World, histories: Tensor, lengths: Tensor) -> Tensor:
    """Exact probability of each item as the next observation, given the whole history.

    Args:
        world: the world that the histories come from.
        histories: ``(B, L)`` int64, item ids of the world ``1..I`` from each user's very first one on;
            what lies behind a history's length is not read.
        lengths: ``(B,)`` int64, ``0..L``.

    Returns:
        ``(B, I)`` float64, rows sum to 1; column ``i - 1`` is item ``i``.

    Raises:
        ValueError: a history that this world cannot have produced, which only ``noise=0`` makes possible.
    """
    # The largest intermediate holds one number for each history and transition.
    at_once = max(1, _CELLS // world.successors.numel())
    chunks = zip(histories.split(at_once), lengths.split(at_once), strict=True)
    return torch.cat([_filter(world, some, length) for some, length in chunks])


def _filter(world: World, histories: Tensor, lengths: Tensor) -> Tensor:
    """:func:`predictive` of one chunk."""
    num_types, num_items, num_successors = world.successors.shape
    first_of_type = torch.arange(num_types) * num_items
    target = (world.successors + first_of_type[:, None, None]).flatten()  # cells of the flat (K * I) grid
    answer = torch.empty(len(histories), num_items, dtype=torch.float64)
    # belief (K * I, B): type and state at this step given all earlier observations.
    belief = (world.initial.repeat(num_types) / num_types)[:, None].repeat(1, len(histories))
    longest = int(lengths.max()) if len(lengths) else 0
    for time in range(longest + 1):
        due = lengths == time
        state = belief[:, due].view(num_types, num_items, -1).sum(0)
        answer[due] = (1 - world.noise) * state.T + world.noise / num_items
        if time == longest:
            break
        going = lengths > time
        # An ended history moves on as if it saw item 1; its belief is not read again.
        seen = torch.where(going, histories[:, time] - 1, 0)
        cells = first_of_type[:, None] + seen  # (K, B)
        at_seen = belief.gather(0, cells)
        belief = (belief * (world.noise / num_items)).scatter_add(0, cells, (1 - world.noise) * at_seen)
        evidence = belief.sum(0)
        if bool((going & (evidence == 0)).any()):
            row = int(torch.nonzero(going & (evidence == 0))[0])
            raise ValueError(
                f"synthetic data: history {row} of the batch holds item {int(histories[row, time])} at "
                f"position {time}, which cannot follow there in a world with noise=0; use the world that it "
                "was drawn from, or noise > 0"
            )
        chance = world.transitions[time % world.period].view(-1, num_successors, 1)  # (K * I, S, 1)
        moved = ((belief / evidence)[:, None, :] * chance).flatten(0, 1)  # (K * I * S, B)
        belief = torch.zeros_like(belief).index_add_(0, target, moved)
    return answer


def _choose(chance: Tensor, generator: torch.Generator) -> Tensor:
    """A column for each row of probabilities ``(U, C)``, ``(U,)``, by inversion.

    Unlike ``torch.multinomial`` it draws the same on every machine.
    """
    uniform = torch.rand(len(chance), 1, generator=generator, dtype=torch.float64)
    return (chance.cumsum(1) <= uniform).sum(1).clamp_max(chance.shape[1] - 1)


def _generator(seed: int, use: int) -> torch.Generator:
    """A source of draws for one use, so that one table's size does not move the others."""
    return torch.Generator().manual_seed(seed * 7 + use)

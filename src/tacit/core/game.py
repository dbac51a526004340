"""A system is a value that describes a differentiable game: players, turns, phases, rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from tacit.core.nets import Nets
from tacit.core.part import Part
from tacit.core.rng import Rng

if TYPE_CHECKING:
    from tacit.core.parts import Prior, Rule

Terms = dict[str, Tensor]
Project = Callable[[nn.Module], None]


def tree_map(fn: Callable[[Tensor], Tensor], value: Any) -> Any:
    """Apply ``fn`` to every tensor in nested tuples, named tuples, dicts and rounds."""
    if isinstance(value, Tensor):
        return fn(value)
    if isinstance(value, Round):
        return Round(**{k: tree_map(fn, v) for k, v in value.__dict__.items()})
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(tree_map(fn, v) for v in value))
    if isinstance(value, tuple | list):
        return type(value)(tree_map(fn, v) for v in value)
    if isinstance(value, dict):
        return {k: tree_map(fn, v) for k, v in value.items()}
    return value


class Round:
    """Everything random in one repetition of a turn: data and noise, drawn once, read by every loss.

    ``size`` is the number of local rows. Beside what ``draw`` put there, the engine adds ``memory`` (tensors),
    ``step`` (int, within the phase) and ``progress`` (0 … 1, of the phase).
    """

    progress: float = 0.0

    def __init__(self, **values: Any):
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the round has no '{name}'; draw() gave: {', '.join(self.__dict__)}")

    def but(self, **values: Any) -> Round:
        """The same round with some entries replaced."""
        return Round(**{**self.__dict__, **values})

    def split(self, parts: int, size: int) -> list[Round]:
        """``parts`` micro-batches: every tensor with ``size`` leading rows is cut, everything else is shared.

        Each knows the ``whole`` that it was cut from, for closed forms.
        """
        if parts == 1:
            return [self]
        step = size // parts
        memory = self.__dict__.get("memory")
        shared = Round(**{k: v for k, v in self.__dict__.items() if k != "memory"})

        def cut(i: int) -> Callable[[Tensor], Tensor]:
            return lambda t: t[i * step : (i + 1) * step] if t.dim() and t.shape[0] == size else t

        return [tree_map(cut(i), shared).but(memory=memory, size=step, whole=self) for i in range(parts)]


@dataclass(frozen=True)
class Player:
    """Who moves what, and why.

    Args:
        name: how turns and logs call this player.
        owns: networks whose weights its gradient is taken to, and no others.
        loss: ``loss(n, r) -> {term: scalar}``; the sum is minimised, each term is logged.
        solve: ``solve(n, r, mean) -> {"network.weight": tensor}``, the closed-form update for a ``Solve`` rule; ``mean``
            averages a tensor over ranks.
        project: ``project(network)``, applied to each owned network after the player moved (weight clipping); or a mapping from
            the name of an owned network to its own projection, which leaves the others as they are.
        watch: ``watch(n, r) -> {name: scalar}``, logged and never summed.
        logs: terms of the loss that are logged and never summed: what is known on the way to it, and costs no pass of its
            own as ``watch`` does.
    """

    name: str
    owns: tuple[str, ...]
    loss: Callable[[Nets, Round], Terms] | None = None
    solve: Callable[[Nets, Round, Callable[[Tensor], Tensor]], dict[str, Tensor]] | None = None
    project: Project | Mapping[str, Project] | None = None
    watch: Callable[[Nets, Round], Terms] | None = None
    logs: tuple[str, ...] = ()

    def summed(self, terms: Terms) -> list[Tensor]:
        """The terms that are minimised."""
        return [v for k, v in terms.items() if k not in self.logs]

    def projections(self) -> dict[str, Project]:
        """The projection of each owned network that has one."""
        if self.project is None or isinstance(self.project, Mapping):
            return dict(self.project or {})
        return dict.fromkeys(self.owns, self.project)


@dataclass(frozen=True)
class Turn:
    """One or several players move by a rule; several players in one turn move simultaneously.

    Args:
        players: a name, or a tuple of names.
        rule: how the weights move: one rule, or one for each player.
        times: repetitions within a step (a critic's inner steps), each with a round of its own; or ``times(step)``, 1 or more,
            of the step within the phase.
        reuse: keep one round for all repetitions.
        when: ``when(log) -> bool`` on the last rank-averaged log of every turn (name → float); False skips the turn.
        every: take the turn only on every k-th step of the phase.
        draw: what the turn's rounds are drawn by, where it is not the system's ``draw`` (pairs, edges).
    """

    players: str | tuple[str, ...]
    rule: Rule | tuple[Rule, ...]
    times: int | Callable[[int], int] = 1
    reuse: bool = False
    when: Callable[[dict[str, float]], bool] | None = None
    every: int = 1
    draw: Callable[[Nets, Any, Rng, dict[str, Tensor]], Round] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.players,) if isinstance(self.players, str) else self.players

    @property
    def rules(self) -> tuple[Rule, ...]:
        return self.rule if isinstance(self.rule, tuple) else (self.rule,)

    def repetitions(self, step: int) -> int:
        """How often the turn is taken at a step of its phase."""
        return self.times if isinstance(self.times, int) else self.times(step)


@dataclass(frozen=True)
class Plateau:
    """Multiply learning rates when a term stops falling; end the phase below ``min_lr``.

    The term's mean over ``every`` steps is compared with the best so far, ``patience`` times.
    """

    term: str
    factor: float = 0.1
    patience: int = 10
    every: int = 100
    threshold: float = 1e-4
    min_lr: float = 1e-7


class Phase:
    """A stretch of the fit: turns repeated for a share of the steps.

    Args:
        turns: taken in order at every step; none for a phase that only enters.
        share: part of the run's steps, relative to the other phases'.
        steps: fixed number of steps instead of a share.
        enter: ``enter(n, world) -> memory updates``, called once before the phase; ``world`` gives the data, the
            random stream and the spec (AdaGAN's reweighting, SpectralNet's affinities, centroids).
        plateau: reduce learning rates on a plateau and stop.
        batch: rows of a step, where it differs from the run's.
    """

    def __init__(
        self,
        *turns: Turn,
        name: str = "train",
        share: float = 1.0,
        steps: int | None = None,
        enter: Callable[[Nets, World], dict[str, Tensor] | None] | None = None,
        plateau: Plateau | None = None,
        batch: int | None = None,
    ):
        self.turns, self.name, self.share, self.steps = turns, name, share if turns else 0.0, steps
        self.enter, self.plateau, self.batch = enter, plateau, batch


@dataclass
class World:
    """What ``Phase.enter`` may look at: data in order, a random stream, the spec, averages over ranks."""

    feed: Any
    spec: Any
    rng: Rng
    seed: int
    mean: Callable[[Tensor], Tensor]
    device: torch.device

    def array(self) -> Tensor:
        """All prepared rows, ``(n, *shape)``."""
        return self.feed.array().to(self.rng.dtype)

    def first(self, count: int) -> Tensor:
        """The first ``count`` prepared rows in the order of training, the same on every rank, ``(count, *shape)``."""
        return self.feed.first(count).to(self.rng.dtype)

    def map(self, fn: Callable[[Tensor], Tensor], size: int = 2048) -> Tensor:
        """``fn`` over all rows in batches, without gradients, put together."""
        with torch.no_grad():
            return torch.cat([fn(b.x.to(self.rng.dtype)) for b in self.feed.batches(size)])


@dataclass(frozen=True)
class Defaults:
    """What a system's run uses unless told otherwise."""

    steps: int = 10_000
    batch_size: int = 128
    ema: float | None = None
    ema_networks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class System(Part):
    """Base of all systems; see the methods for what a concrete system states.

    A system is an immutable value: its fields are the command line's options, the JSON in a saved model and the
    parameters of the scikit-learn shells. Its methods read networks and rounds, and never write.
    """

    kind: ClassVar[str] = "system"
    abstract: ClassVar[bool] = True
    family: ClassVar[str] = ""
    paper: ClassVar[str] = ""
    defaults: ClassVar[Defaults] = Defaults()
    run_only: ClassVar[tuple[str, ...]] = ()
    labelled: ClassVar[tuple[str, ...]] = ()
    """Streams whose rows must all have a label, from 0 to ``n_classes`` − 1."""
    scale: ClassVar[str] = "auto"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if not cls.__dict__.get("abstract", False) and "name" not in cls.__dict__:
            cls.name = cls.__name__.lower()
        super().__init_subclass__(**kwargs)

    @property
    def couples_batch(self) -> bool:
        """Whether a loss reads rows of a batch together, so that micro-batches and ranks are not the batch itself."""
        return False

    @property
    def latents(self) -> Prior | None:
        """The distribution of what ``decode`` reads, for inversion and for paths; None where the system draws no latents."""
        prior = getattr(self, "prior", None)
        return prior() if callable(prior) else prior

    def streams(self) -> tuple[str, ...]:
        """Names of the data streams that a round needs."""
        return ("x",)

    def check(self, spec: Any, n_rows: int) -> None:
        """Refuse data that this system cannot learn from (``InputError``); called before anything is written."""

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        """Freshly initialised networks for data like ``spec``."""
        return {}

    def memory(self, spec: Any) -> dict[str, Tensor]:
        """State that is neither weight nor optimiser; tensors only."""
        return {}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        """Every random number of a round, drawn once."""
        return Round(x=batch.x)

    def players(self) -> tuple[Player, ...]:
        return ()

    def phases(self) -> tuple[Phase, ...]:
        raise NotImplementedError(f"{type(self).__name__} states no phases")

    def losses(self, names: tuple[str, ...], n: Nets, r: Round) -> dict[str, Terms]:
        """Terms of several players at the same weights; override to share one forward pass."""
        by_name = {p.name: p for p in self.players()}
        return {name: by_name[name].loss(n, r) for name in names}  # type: ignore[misc]

    def view(self, n: Nets, r: Round) -> Nets:
        """The networks as every loss sees them: the place for what changes all of them alike (instance noise)."""
        return n

    def after(self, memory: dict[str, Tensor], log: dict[str, Tensor]) -> dict[str, Tensor]:
        """Memory updates after each repetition of a turn; ``log`` maps ``player/term`` to detached tensors, averaged over ranks."""
        return {}

    def fit(self, X: Any, **options: Any) -> Any:
        """Alias of :func:`tacit.fit`: ``tacit.fit(self, X, **options)``."""
        from tacit.engine import fit

        return fit(self, X, **options)


def played(system: System) -> Callable[[tuple[str, ...], Nets, Round], dict[str, Terms]]:
    """The losses of a system as they are played: on the networks as it views them.

    Where it keeps to the plain rule, its players are asked for once, not at every step.
    """
    losses = system.losses
    if type(system).losses is System.losses:
        by_name: dict[str, Any] = {p.name: p.loss for p in system.players()}

        def losses(names: tuple[str, ...], n: Nets, r: Round) -> dict[str, Terms]:
            return {name: by_name[name](n, r) for name in names}

    if type(system).view is System.view:
        return losses
    return lambda names, n, r: losses(names, system.view(n, r), r)

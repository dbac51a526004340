"""The kinds of part that systems are composed of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from tacit.core.part import Part
from tacit.core.rng import Rng
from tacit.errors import InputError

if TYPE_CHECKING:
    from tacit.core.field import Field
    from tacit.core.game import Player, Turn


class Objective(Part):
    """What the two players are paid. Every method returns a scalar to *minimise*.

    ``real`` and ``fake`` are the discriminator's outputs, ``(B,)`` or ``(B, 1)``; each objective says how it reads them.
    ``memory`` holds the state that the objective declared, if any.
    """

    kind: ClassVar[str] = "objective"
    abstract: ClassVar[bool] = True
    output: ClassVar[str] = "logit"
    """How the discriminator's output is read: ``logit``, ``value``, or ``energy`` (not negative, low on real data)."""
    couples_batch: ClassVar[bool] = False
    """Whether it is more than a mean over rows, so that micro-batches and ranks are not the batch itself."""
    odd: ClassVar[bool] = False
    """Whether ``generator(−D)`` is what makes real rows look generated, so that an encoder can be paid for them."""
    sets_scale: ClassVar[bool] = False
    """Whether it fixes the size of the critic's values itself, so that a Lipschitz penalty would contradict it."""
    watched: ClassVar[tuple[str, ...]] = ()
    """Names of what :meth:`watch` gives."""
    needs_lipschitz: ClassVar[bool] = False
    """Whether the objective is only meaningful for a (roughly) Lipschitz critic."""

    def critic(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor] | None = None) -> Tensor:
        raise NotImplementedError

    def generator(self, fake: Tensor, real: Tensor | None = None, memory: dict[str, Tensor] | None = None) -> Tensor:
        raise NotImplementedError

    def watch(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor]) -> dict[str, Tensor]:
        """Scalars of the critic's turn, logged as ``critic/NAME``, never minimised, and averaged for :meth:`after`."""
        return {}

    def memory(self) -> dict[str, Tensor]:
        """State of the objective (BEGAN's k, Fisher's λ); empty for most."""
        return {}

    def after(self, memory: dict[str, Tensor], log: dict[str, Tensor]) -> dict[str, Tensor]:
        """Updates of that state after each of the critic's moves; ``log`` has ``critic/adversarial`` and what was watched."""
        return {}

    def after_generator(self, memory: dict[str, Tensor], log: dict[str, Tensor]) -> dict[str, Tensor]:
        """Updates of that state after the generator's turn; ``log`` has ``generator/adversarial``."""
        return {}


class Penalty(Part):
    """A restriction of the discriminator, by any of three hooks: a term, a projection, a wrapper."""

    kind: ClassVar[str] = "penalty"
    abstract: ClassVar[bool] = True
    lipschitz: ClassVar[bool] = False
    """Whether it makes a Wasserstein-like critic meaningful."""
    second_order: ClassVar[bool] = False
    """Whether its term differentiates twice through the network."""

    def __call__(
        self, net: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, eps: Tensor | None = None, step: int = 0, progress: float = 0.0
    ) -> Tensor:
        """The penalty's term, a scalar; 0 where it has none. ``progress`` is the phase's, 0 … 1, for weights that are annealed."""
        return real.new_zeros(())

    def agrees(self, objective: Objective) -> None:
        """Refuse an objective beside which it has no meaning, naming both sides (``InputError``)."""

    def project(self, net: nn.Module) -> None:
        """Move the weights back into the permitted set, after each update."""

    def wrap(self, net: nn.Module) -> nn.Module:
        """The network with the restriction built in."""
        return net


class Prior(Part):
    """A distribution of latents."""

    kind: ClassVar[str] = "prior"
    abstract: ClassVar[bool] = True

    @property
    def dim(self) -> int:
        """Width of a latent as the generator reads it."""
        raise NotImplementedError

    @property
    def code_dim(self) -> int:
        """Width of what an encoder must output for :meth:`split`."""
        return self.dim

    def sample(self, n: int, rng: Rng) -> Any:
        raise NotImplementedError

    def join(self, z: Any) -> Tensor:
        """A latent as one tensor, ``(B, dim)``."""
        return z

    def split(self, flat: Tensor) -> Any:
        """An encoder's output, ``(B, code_dim)``, as a code with named pieces."""
        return flat

    def latent(self, flat: Tensor) -> Any:
        """The inverse of :meth:`join`: the latent that a vector ``(B, dim)`` stands for, or the one nearest to it."""
        return flat

    def embed(self, code: Any) -> Tensor:
        """A code as a vector for people and for clustering, ``(B, dim)``."""
        return self.join(code)

    def log_prob(self, z: Any) -> Tensor:
        """Log density (or mass), ``(B,)``."""
        raise NotImplementedError

    @property
    def n_categories(self) -> int:
        """Values of the latent's categorical part, which an encoder can read as the cluster; 0 where it has none."""
        return 0

    @property
    def bound(self) -> float:
        """Half the width of the box around 0 that the continuous part all but never leaves."""
        return math.inf

    @property
    def free(self) -> int:
        """Width of the continuous part."""
        return self.dim

    def place(self, continuous: Tensor, category: Tensor) -> Tensor:
        """A continuous part ``(B, free)`` beside a category ``(B,)``, int64, as one vector ``(B, dim)``."""
        return continuous

    def recovery(self, code: Any, z: Any) -> dict[str, Tensor]:
        """How far a code is from the latent that it was read from, piece by piece: scalars, 0 at best."""
        return {"continuous": (code - z).square().mean()}

    def path(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """From one latent to another through such latents as are drawn: ``(B, dim)``, ``(B, dim)``, ``(S,)`` → ``(B, S, dim)``.

        Where the distribution is in several pieces the path leaps from one to the next half way. A prior that does not say has none
        (``InputError``).
        """
        raise InputError(f"{type(self).__name__} has no path of its own; expected another way between codes; take linear or spherical")


class Augmentation(Part):
    """A random change of a row that leaves its meaning: ``augment(x, u)`` with ``u = augment.draw(x, rng)``."""

    kind: ClassVar[str] = "augmentation"
    abstract: ClassVar[bool] = True

    def check(self, spec: Any) -> None:
        """Refuse data that it cannot change (``InputError``)."""

    def draw(self, like: Tensor, rng: Rng) -> Tensor:
        """The random numbers for rows like ``like``, ``(B, …)``."""
        raise NotImplementedError

    def __call__(self, x: Tensor, u: Tensor) -> Tensor:
        """The changed rows, of the shape of ``x``, differentiable in ``x``."""
        raise NotImplementedError


class Networks(Part):
    """An architecture: what turns a spec into modules."""

    kind: ClassVar[str] = "networks"
    abstract: ClassVar[bool] = True

    def check(self, spec: Any) -> None:
        """Refuse a data shape that this architecture cannot serve (``InputError``)."""

    def generator(self, prior: Prior, spec: Any) -> nn.Module:
        """Latent → data in the spec's range."""
        raise NotImplementedError

    def critic(self, spec: Any, out: int = 1) -> nn.Module:
        """Data → ``(B,)`` (``out=1``) or ``(B, out)``."""
        raise NotImplementedError

    def encoder(self, spec: Any, out: int) -> nn.Module:
        """Data → ``(B, out)``, linear last layer."""
        raise NotImplementedError

    def decoder(self, dim: int, spec: Any) -> nn.Module:
        """Code ``(B, dim)`` → data in the spec's range."""
        raise NotImplementedError


class Rule(Part):
    """How weights move: a factory of steppers."""

    kind: ClassVar[str] = "rule"
    abstract: ClassVar[bool] = True
    joint: ClassVar[bool] = False
    """Whether it needs the field of all players of its turn, and cannot be given to one of them beside other rules."""
    needs: ClassVar[str] = "loss"
    """What a player must state to be moved by it: ``loss`` or ``solve``."""

    def check(self, turn: Turn, players: Mapping[str, Player]) -> None:
        """Refuse a turn that it cannot move, with the reason (``InputError``); ``players`` are all of the game's."""

    def renamed(self, name: Callable[[str], str]) -> Rule:
        """The same rule for a game whose players have other names."""
        return self

    def bind(self, groups: Sequence[list[nn.Parameter]]) -> Stepper:
        """Bind to a turn's weights (one list for each player)."""
        raise NotImplementedError


class Stepper:
    """A rule bound to weights; it holds the rule's state. ``step`` runs under ``no_grad``."""

    def step(self, field: Field) -> None:
        raise NotImplementedError

    def schedule(self, progress: float, scale: float) -> None:
        """Set learning rates for the progress of the phase (0 … 1), times ``scale`` (a plateau's)."""

    def lr(self) -> float:
        """The current (largest) learning rate; NaN where there is none."""
        return float("nan")

    def state(self) -> dict[str, Tensor]:
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:
        return None


def float32(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Run ``fn`` outside autocast: norms of gradients and closed forms do not survive 8 bits of mantissa."""

    def call(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            return fn(*args, **kwargs)

    return call

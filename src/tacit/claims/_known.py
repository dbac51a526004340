"""Densities on the line that are known exactly, and the critic's half of a game against them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

import tacit
from tacit.core import Phase, Player, Turn
from tacit.core.parts import Networks, Prior, Rule
from tacit.core.rng import Rng


@dataclass(frozen=True)
class Gaussians(Prior):
    """Σ w_k N(μ_k, σ_k²) on the line, rows ``(B, 1)``."""

    means: tuple[float, ...] = (0.0,)
    sds: tuple[float, ...] = (1.0,)
    weights: tuple[float, ...] = (1.0,)

    @property
    def dim(self) -> int:
        return 1

    def sample(self, n: int, rng: Rng) -> Tensor:
        of = torch.bucketize(rng.uniform(n), torch.tensor(self.weights).cumsum(0)).clamp(max=len(self.means) - 1)
        return (torch.tensor(self.means)[of] + torch.tensor(self.sds)[of] * rng.normal(n))[:, None]

    def log_prob(self, z: Tensor) -> Tensor:
        mean, sd, weight = (torch.tensor(v, dtype=z.dtype) for v in (self.means, self.sds, self.weights))
        return torch.logsumexp(weight.log() - 0.5 * ((z - mean) / sd).square() - sd.log() - 0.5 * math.log(2 * math.pi), 1)


@dataclass(frozen=True)
class Steps(Prior):
    """Piecewise constant on the line: mass w_k spread evenly over [e_k, e_{k+1}), rows ``(B, 1)``."""

    edges: tuple[float, ...] = (0.0, 1.0)
    weights: tuple[float, ...] = (1.0,)

    @property
    def dim(self) -> int:
        return 1

    def sample(self, n: int, rng: Rng) -> Tensor:
        of = torch.bucketize(rng.uniform(n), torch.tensor(self.weights).cumsum(0)).clamp(max=len(self.weights) - 1)
        e = torch.tensor(self.edges)
        return (e[of] + (e[of + 1] - e[of]) * rng.uniform(n))[:, None]

    def log_prob(self, z: Tensor) -> Tensor:
        e, w = (torch.tensor(v, dtype=z.dtype) for v in (self.edges, self.weights))
        of = torch.bucketize(z[:, 0], e, right=True) - 1
        inside = (of >= 0) & (of < len(w))
        return (w / e.diff()).log()[of.clamp(0, len(w) - 1)].where(inside, -math.inf)


def numpy_log(law: Prior) -> Callable[[np.ndarray], np.ndarray]:
    """The law's log density as a function of an array ``(n,)``."""
    return lambda x: law.log_prob(torch.from_numpy(np.asarray(x, dtype=np.float64))[:, None]).numpy()


@dataclass(frozen=True, kw_only=True)
class CriticOnly(tacit.GAN):
    """A GAN whose generator stands still where its weights began: only D takes turns."""

    name: ClassVar[str] = "criticonly"
    scale: ClassVar[str] = "none"
    networks: Networks = field(default_factory=lambda: tacit.MLP(widths=(64, 64), critic_act="tanh"))
    critic_rule: Rule = field(default_factory=lambda: tacit.Adam(3e-3, (0.9, 0.999), schedule="cosine"))

    def players(self) -> tuple[Player, ...]:
        return super().players()[:1]

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(Turn("critic", self.critic_rule)),)


@dataclass(frozen=True, kw_only=True)
class Frozen(CriticOnly):
    """A GAN whose generator is given and stands still: G(z) = z, z ~ q known, so that D alone is learnt."""

    name: ClassVar[str] = "frozen"

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {**super().nets(spec), "G": nn.Identity()}


def rows(law: Prior, n: int, seed: int) -> np.ndarray:
    """n rows of a law, float32 ``(n, 1)``."""
    return law.sample(n, Rng(seed)).numpy()


def trained(p: Prior, system: CriticOnly, seed: int, *, steps: int, batch_size: int = 1024, n: int = 200_000) -> tacit.Model:
    """The critic after ``steps`` updates on n rows of p, and fresh rows of the generator at every update."""
    return tacit.fit(
        system, rows(p, n, 1000 + seed), steps=steps, batch_size=batch_size, seed=seed, precision="float32", progress=False
    )  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """Cells of an interval: midpoints ``(n, 1)``, float64, and the mass of p and of q in each, by the midpoint rule."""

    x: Tensor
    p: Tensor
    q: Tensor

    @classmethod
    def of(cls, p: Prior, q: Prior, low: float, high: float, n: int = 8000) -> Grid:
        x = low + (torch.arange(n, dtype=torch.float64)[:, None] + 0.5) * (high - low) / n
        return cls(x, *(law.log_prob(x).exp() * (high - low) / n for law in (p, q)))

    @property
    def support(self) -> Tensor:
        """Which cells lie where (p + q)/2 is, all but 0.1 % of it in the tails cut off on either side."""
        mass = (0.5 * (self.p + self.q)).cumsum(0)
        return (mass > 5e-4) & (mass < 1 - 5e-4)

    def outputs(self, model: tacit.Model) -> Tensor:
        """D at the cells, ``(n,)``, float64."""
        with torch.no_grad():
            return model.nets.D(self.x.float()).double()

    def paid(self, objective: Any, v: Tensor) -> float:
        """E_p and E_q of what the critic minimises, by quadrature, for an objective that is a mean over rows."""
        each, none = v[:, None], torch.zeros_like(v)[:, None]
        cost = torch.func.vmap(objective.critic)
        both = objective.critic(none[0], none[0])
        on_real, on_fake = cost(each, none), cost(none, each)
        # cost(v, 0) = a(v) + b(0) and cost(0, v) = a(0) + b(v); a(0) + b(0) is taken off where it was counted twice.
        return float((self.p * on_real + self.q * on_fake).sum() - both)

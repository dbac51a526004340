"""A generator against two discriminators of opposite taste."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from tacit.core.game import Defaults, Player, Round, Terms
from tacit.core.nets import Nets
from tacit.core.parts import Prior
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.objectives._positive import log_softplus
from tacit.priors.gaussian import Gaussian
from tacit.systems.games.adversarial import Duel


@dataclass(frozen=True, kw_only=True)
class D2GAN(Duel):
    """min_G max_{D₁,D₂} α·E log D₁(x) − E D₁(G(z)) − E D₂(x) + β·E log D₂(G(z)), D₁, D₂ > 0.

    D₁ rewards data, D₂ what is generated. The best are D₁ = α·p/q and D₂ = β·q/p, where the value is
    α(log α − 1) + β(log β − 1) + α·KL(p‖q) + β·KL(q‖p): one term keeps modes, the other keeps samples likely. x ``(B, *shape)``,
    D = softplus(output).

    Source: Nguyen et al. 2017, arXiv:1709.03831.

    Args:
        prior: distribution of z.
        alpha: α in (0, 1], the weight of KL(p‖q).
        beta: β in (0, 1], the weight of KL(q‖p).
        penalty: restriction of both discriminators.

    >>> import tacit
    >>> model = tacit.D2GAN(prior=tacit.Gaussian(2)).fit("ring8", steps=10)
    >>> model.sample(3).shape
    (3, 2)
    """

    sees: ClassVar[tuple[str, ...]] = ("D1", "D2")
    prior: Prior = field(default_factory=lambda: Gaussian(64))
    alpha: float = 0.2
    beta: float = 0.1

    family: ClassVar[str] = "games"
    paper: ClassVar[str] = "Nguyen et al. 2017, arXiv:1709.03831"
    defaults: ClassVar[Defaults] = Defaults(steps=10_000, batch_size=128)

    def validate(self) -> None:
        super().validate()
        if not (0 < self.alpha <= 1 and 0 < self.beta <= 1):
            raise InputError(f"D2GAN got alpha={self.alpha}, beta={self.beta}; expected both in (0, 1]; the paper uses 0.2 and 0.1")

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        critics = {name: self.penalty.wrap(self.networks.critic(spec)) for name in ("D1", "D2")}
        return {"G": self.networks.generator(self.prior, spec), **critics}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return Round(x=batch.x, z=self.prior.sample(len(batch), rng), eps=rng.uniform(len(batch)))

    def players(self) -> tuple[Player, ...]:
        return (
            Player("critic", owns=("D1", "D2"), loss=self.critic, project=self.penalty.project),
            Player("generator", owns=("G",), loss=self.generator),
        )

    def critic(self, n: Nets, r: Round) -> Terms:
        with n.given():
            fake = n.G(r.z)
        return {
            "data": softplus(n.D1(fake)).mean() - self.alpha * log_softplus(n.D1(r.x)).mean(),
            "generated": softplus(n.D2(r.x)).mean() - self.beta * log_softplus(n.D2(fake)).mean(),
            "penalty": torch.stack([self.penalty(D, r.x, fake, r.eps, r.step, r.progress) for D in (n.D1, n.D2)]).sum(),
        }

    def generator(self, n: Nets, r: Round) -> Terms:
        fake = n.G(r.z)
        return {"data": -softplus(n.D1(fake)).mean(), "generated": self.beta * log_softplus(n.D2(fake)).mean()}

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.G(self.prior.sample(size, rng))

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.G(z)

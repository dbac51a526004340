"""A mixture of generators against a mixture of discriminators."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tacit.core.game import Defaults, Player, Round, Terms
from tacit.core.nets import Nets
from tacit.core.parts import Objective, Penalty, Prior
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.objectives.wasserstein import Wasserstein
from tacit.penalties.gradient import GradientPenalty
from tacit.priors.gaussian import Gaussian
from tacit.systems.games.adversarial import Adversarial, stateless


class Mixture(nn.Module):
    """Networks with weights on the simplex, softmax of logits that are learnt with them."""

    def __init__(self, parts: list[nn.Module]):
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.logits = nn.Parameter(torch.zeros(len(parts)))

    def weights(self) -> Tensor:
        """``(T,)``, not negative, of sum 1."""
        return self.logits.softmax(0)

    def entropy_loss(self) -> Tensor:
        """−(1/T)·Σ log w_i: least (log T) for equal weights, infinite where one is 0."""
        return -self.logits.log_softmax(0).mean()

    def forward(self, *inputs: Any) -> list[Tensor]:
        return [part(*inputs) for part in self.parts]


@dataclass(frozen=True, kw_only=True)
class MixGAN(Adversarial):
    """MIX+GAN: min_{G,u} max_{D,v} Σ_ij u_i·v_j·F(G_i, D_j), u and v on the simplex, over any objective F.

    T generators and T discriminators with mixture weights u = softmax, v = softmax, each learnt by its player, who also
    minimises λ·R, R(w) = −(1/T)·Σ log w_i, so that no weight vanishes early. A sample comes from G_i with probability u_i.
    Over Wasserstein's objective and a gradient penalty it is MIX+WGAN-GP. x ``(B, *shape)``, z ~ prior.

    Source: Arora et al. 2017, arXiv:1703.00573.

    Args:
        prior: distribution of z.
        n_pairs: T.
        entropy: λ.

    >>> import tacit
    >>> model = tacit.MixGAN(prior=tacit.Gaussian(2), n_pairs=2).fit("ring8", steps=5)
    >>> model.sample(3).shape
    (3, 2)
    """

    sees: ClassVar[tuple[str, ...]] = ()
    prior: Prior = field(default_factory=lambda: Gaussian(64))
    objective: Objective = field(default_factory=Wasserstein)
    penalty: Penalty = field(default_factory=lambda: GradientPenalty(10.0))
    n_pairs: int = 3
    entropy: float = 0.1

    family: ClassVar[str] = "games"
    paper: ClassVar[str] = "Arora et al. 2017, arXiv:1703.00573"
    defaults: ClassVar[Defaults] = Defaults(steps=10_000, batch_size=128)

    def validate(self) -> None:
        super().validate()
        if self.n_pairs < 1 or self.entropy < 0:
            raise InputError(f"MixGAN got n_pairs={self.n_pairs}, entropy={self.entropy}; expected 1 or more and 0 or more; mend them")
        stateless(self)

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        pairs = range(self.n_pairs)
        generators = Mixture([self.networks.generator(self.prior, spec) for _ in pairs])
        return {"G": generators, "D": Mixture([self.penalty.wrap(self.networks.critic(spec)) for _ in pairs])}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return Round(x=batch.x, z=self.prior.sample(len(batch), rng), eps=rng.uniform(len(batch)))

    def players(self) -> tuple[Player, ...]:
        return self.judge(self.critic), Player("generator", owns=("G",), loss=self.generator)

    def critic(self, n: Nets, r: Round) -> Terms:
        with n.given():
            fakes, u = n.G(r.z), n.G.weights()
        paid = kept = r.x.new_zeros(())
        for v, D in zip(n.D.weights(), n.D.parts, strict=True):
            for share, fake in zip(u, fakes, strict=True):
                terms = self.contest(D, r.x, fake, r)
                paid = paid + share * v * terms["adversarial"]
                # A discriminator's restriction does not fade with its share of the mixture.
                kept = kept + share * terms["penalty"]
        return {"adversarial": paid, "penalty": kept, "entropy": self.entropy * n.D.entropy_loss()}

    def generator(self, n: Nets, r: Round) -> Terms:
        u, v = n.G.weights(), n.D.weights()
        paid = [
            u[i] * v[j] * self.objective.generator(D(fake), memory=r.memory)
            for i, fake in enumerate(n.G(r.z)) for j, D in enumerate(n.D.parts)
        ]  # fmt: skip
        return {"adversarial": torch.stack(paid).sum(), "entropy": self.entropy * n.G.entropy_loss()}

    def verdict(self, n: Nets, x: Tensor) -> Tensor:
        return n.D.weights() @ torch.stack(n.D(x))

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        z, edges = self.prior.sample(size, rng), n.G.weights().cumsum(0)[:-1]
        which = torch.bucketize(rng.uniform(size), edges)
        made = torch.stack(n.G(z))
        return made[which, torch.arange(size, device=made.device)]

"""A game whose critic ends as the energy of the data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from tacit.core.game import Defaults, Player, Round, Terms
from tacit.core.nets import Nets
from tacit.core.parts import Prior, Rule, float32
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.priors.gaussian import Gaussian
from tacit.rules.optimisers import Adam
from tacit.systems.games.adversarial import Duel


@dataclass(frozen=True, kw_only=True)
class EnergyGAN(Duel):
    """Calibrated energy GAN: max_D min_G E D(G(z)) − E D(x) − w·H(p_G); at the saddle p_G = p and D = −w·log p + constant.

    The entropy keeps p_G from running to D's minima, so that D need not flatten as p_G reaches p: it ends as the energy of the data,
    and scores, −D(x), are w·log p(x) up to a constant, x ``(B, *shape)``, in the units that the networks see. H is either

    - ``neighbours``: ∂H = −E ∇log p_G(x)·∂x, ∇log p_G(x) ≈ d·mean(x' − x)/mean‖x' − x‖² over the k nearest x' of x's batch, d numbers
      a row; logged is the Kozachenko–Leonenko estimate of H, nats;
    - ``variational``: H ≥ H(z) + H(x|z) + E log q(z|x), q(z|x) = N(μ(x), σ²(x)) an encoder Q that G trains with, at
      x = G(z) + s·ε, ε ~ N(0, I); logged is E log q, without the constants, nats; or
    - ``constant``: left out, with no energy in the end (EGAN-Const).

    Source: Dai et al. 2017, arXiv:1702.01691.

    Args:
        prior: distribution of z.
        entropy: variational, neighbours or constant.
        weight: w.
        neighbours: k; a batch must have more rows.
        noise: s, in the units that the networks see: H is that of p_G smoothed by it, and D the smoothed energy. Without noise
            the bound is none for a density, and its gradient is small once Q is good.
        level: weight of E D(x)² + E D(G(z))², which fixes the constant in D.
        rule, critic_rule: how G (with Q) and D move; G has to keep up with D, hence the higher rate.

    >>> import tacit
    >>> model = tacit.EnergyGAN(prior=tacit.Gaussian(4)).fit("biased", steps=10)
    >>> model.score("biased").shape
    (100000,)
    """

    prior: Prior = field(default_factory=lambda: Gaussian(64))
    entropy: Literal["neighbours", "variational", "constant"] = "variational"
    weight: float = 1.0
    neighbours: int = 20
    noise: float = 0.2
    level: float = 0.0
    rule: Rule = field(default_factory=lambda: Adam(2e-3, (0.0, 0.999)))
    critic_rule: Rule = field(default_factory=lambda: Adam(2e-4, (0.0, 0.999)))

    family: ClassVar[str] = "games"
    paper: ClassVar[str] = "Dai et al. 2017, arXiv:1702.01691"
    defaults: ClassVar[Defaults] = Defaults(steps=10_000, batch_size=500)

    def validate(self) -> None:
        super().validate()
        if self.entropy not in ("neighbours", "variational", "constant"):
            raise InputError(f"EnergyGAN got entropy={self.entropy!r}; expected variational, neighbours or constant; choose one")
        if self.weight <= 0 or self.neighbours < 1 or self.noise < 0 or self.level < 0:
            raise InputError(
                f"EnergyGAN got weight={self.weight}, neighbours={self.neighbours}, noise={self.noise}, level={self.level}; "
                "expected weight > 0, neighbours >= 1, noise >= 0 and level >= 0; mend the one that is not"
            )
        if self.entropy == "variational" and type(self.prior).join is not Prior.join:
            raise InputError(
                f"EnergyGAN with entropy='variational' and the prior {type(self.prior).__name__} has no meaning, since its encoder is a "
                "density over vectors and this latent is more than one; expected Gaussian, Uniform or Mixture; choose one of them"
            )

    @property
    def couples_batch(self) -> bool:
        return self.entropy == "neighbours"

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        made = {"G": self.networks.generator(self.prior, spec), "D": self.penalty.wrap(self.networks.critic(spec))}
        return made | ({"Q": self.networks.encoder(spec, 2 * self.prior.dim)} if self.entropy == "variational" else {})

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        noise = self.noise * rng.normal(*batch.x.shape) if self.entropy == "variational" else None
        return Round(x=batch.x, z=self.prior.sample(len(batch), rng), eps=rng.uniform(len(batch)), noise=noise)

    def players(self) -> tuple[Player, ...]:
        owns = ("G", "Q") if self.entropy == "variational" else ("G",)
        return (
            Player("critic", owns=("D",), loss=self.critic, project=self.penalty.project),
            Player("generator", owns=owns, loss=self.generator),
        )

    def critic(self, n: Nets, r: Round) -> Terms:
        with n.given():
            fake = n.G(r.z)
        real, made = n.D(r.x), n.D(fake)
        terms = {"energy": real.mean() - made.mean(), "penalty": self.penalty(n.D, r.x, fake, r.eps, r.step, r.progress)}
        return terms | ({"level": self.level * (real.square().mean() + made.square().mean())} if self.level else {})

    def generator(self, n: Nets, r: Round) -> Terms:
        fake = n.G(r.z)
        terms = {"energy": n.D(fake).mean()}
        if self.entropy == "neighbours":
            terms["entropy"] = -self.weight * neighbour_entropy(fake, self.neighbours)
        if self.entropy == "variational":
            terms["entropy"] = -self.weight * encoder_log_prob(n.Q(fake + r.noise), r.z).mean()
        return terms

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.G(self.prior.sample(size, rng))

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.G(z)

    def score(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return -n.D(x)


@float32
def neighbour_entropy(x: Tensor, k: int) -> Tensor:
    """Entropy of what rows ``(B, …)`` are drawn from, nats, with the gradient that mean shifts estimate.

    The value is ψ(B) − ψ(k) + log V_d + d·mean log ‖x − x_k‖, V_d the volume of the unit ball and x_k the k-th neighbour
    (Kozachenko and Leonenko; Kraskov et al. 2004, doi:10.1103/PhysRevE.69.066138). The gradient is −d·mean(x' − x)/mean‖x' − x‖²
    at each row: over a ball of radius r in which the density is nearly linear, the mean shift is r²/(d + 2)·∇log p and the mean
    square r²·d/(d + 2); where the neighbourhoods are wide, in tails, it is shrunk.

    Raises:
        InputError: k rows or fewer.
    """
    flat = x.flatten(1) if x.dtype == torch.float64 else x.flatten(1).float()
    own = flat.detach()
    size, dim = own.shape
    if size <= k:
        raise InputError(f"EnergyGAN got {size} rows at once with neighbours={k}; expected more; raise batch_size, or lower neighbours")
    near = torch.cdist(own, own).fill_diagonal_(math.inf).topk(k, largest=False)
    shift = own[near.indices].mean(1) - own
    slope = dim * shift / near.values.square().mean(1, keepdim=True).clamp_min(1e-24)
    ball = 0.5 * dim * math.log(math.pi) - math.lgamma(0.5 * dim + 1)
    counts = torch.digamma(own.new_tensor([float(size), float(k)]))
    value = counts[0] - counts[1] + ball + dim * near.values[:, -1].clamp_min(1e-12).log().mean()
    change = -(slope * flat).sum(1).mean()
    return value + change - change.detach()


@float32
def encoder_log_prob(code: Tensor, z: Tensor) -> Tensor:
    """log N(z; μ, σ²), nats, ``(B,)``, for an encoder's output ``(B, 2d)``: μ, then log σ², which is kept within ±20."""
    mu, log_var = (code if code.dtype == torch.float64 else code.float()).chunk(2, 1)
    log_var = log_var.clamp(-20, 20)
    return -0.5 * ((z - mu).square() * (-log_var).exp() + log_var + math.log(2 * math.pi)).sum(1)

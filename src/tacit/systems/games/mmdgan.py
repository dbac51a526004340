"""Moment matching under a kernel that an opponent learns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from tacit.core.game import Defaults, Phase, Player, Round, Terms, Turn
from tacit.core.nets import Nets
from tacit.core.parts import Penalty, Prior, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.objectives._kernels import mmd2
from tacit.penalties.clipping import WeightClipping
from tacit.priors.gaussian import Gaussian
from tacit.rules.optimisers import RMSProp
from tacit.systems.games.adversarial import Duel


@dataclass(frozen=True, kw_only=True)
class MMDGAN(Duel):
    """min_G max_{E,D} M(E(x), E(G(z))) + ρ·Σ_j min(E[E(x)_j − E(G(z))_j], 0)/d − λ·E‖y − D(E(y))‖²/|y|, y among x and among G(z).

    M² = E k(a, a') + E k(b, b') − 2 E k(a, b) with k the sum of Gaussian kernels of several bandwidths (V-statistic). The
    autoencoder keeps E injective, which makes k(E(·), E(·)) characteristic; the one-sided term keeps E(x) above E(G(z)) in
    each of the d entries. E's weights are clipped, D's are free. x ``(B, *shape)``, codes ``(B, code_dim)``.

    Source: Li et al. 2017, arXiv:1705.08584.

    Args:
        prior: distribution of z.
        code_dim: d, the width of the code.
        bandwidths: σ of the kernels, in units of the code.
        reconstruction: λ, for each of x and G(z); on the mean square of an entry, in units of the networks' range.
        rank: ρ, the one-sided term's weight; 0 leaves it out.
        critic_steps: updates of E and D for each of G; ``burst_steps`` of them in each of the first ``burst_first`` steps
            and in every ``burst_every``-th step.

    >>> import tacit
    >>> model = tacit.MMDGAN(code_dim=2, prior=tacit.Gaussian(2), burst_steps=5).fit("ring8", steps=5)
    >>> model.sample(3).shape
    (3, 2)
    """

    prior: Prior = field(default_factory=lambda: Gaussian(64))
    code_dim: int = 16
    bandwidths: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)
    reconstruction: float = 8.0
    rank: float = 16.0
    penalty: Penalty = field(default_factory=lambda: WeightClipping(0.01))
    rule: Rule = field(default_factory=lambda: RMSProp(5e-5))
    critic_rule: Rule = field(default_factory=lambda: RMSProp(5e-5))
    critic_steps: int = 5
    burst_steps: int = 100
    burst_first: int = 25
    burst_every: int = 500

    family: ClassVar[str] = "games"
    paper: ClassVar[str] = "Li et al. 2017, arXiv:1705.08584"
    defaults: ClassVar[Defaults] = Defaults(steps=10_000, batch_size=64)

    def validate(self) -> None:
        super().validate()
        if not self.bandwidths or min(self.bandwidths) <= 0 or self.code_dim < 1 or min(self.reconstruction, self.rank) < 0:
            raise InputError(
                f"MMDGAN got bandwidths={self.bandwidths}, code_dim={self.code_dim}, reconstruction={self.reconstruction}, "
                f"rank={self.rank}; expected positive bandwidths, code_dim >= 1 and weights of 0 or more; mend the one that is not"
            )
        if self.burst_steps < 1 or self.burst_first < 0 or self.burst_every < 1:
            raise InputError(
                f"MMDGAN got burst_steps={self.burst_steps}, burst_first={self.burst_first}, burst_every={self.burst_every}; expected "
                "burst_steps >= 1, burst_first >= 0, burst_every >= 1; mend the one that is not; burst_steps=critic_steps has no bursts"
            )
        if self.penalty.second_order:
            raise InputError(
                f"MMDGAN with the penalty {type(self.penalty).__name__} has no meaning, since E gives codes and not a critic's value; "
                "expected WeightClipping, SpectralNormalisation or NoPenalty; choose one of them"
            )

    @property
    def couples_batch(self) -> bool:
        return True

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        encoder, decoder = self.networks.encoder(spec, self.code_dim), self.networks.decoder(self.code_dim, spec)
        return {"G": self.networks.generator(self.prior, spec), "E": self.penalty.wrap(encoder), "D": decoder}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return Round(x=batch.x, z=self.prior.sample(len(batch), rng))

    def players(self) -> tuple[Player, ...]:
        critic = Player("critic", owns=("E", "D"), loss=self.critic, project={"E": self.penalty.project})
        return critic, Player("generator", owns=("G",), loss=self.generator)

    def phases(self) -> tuple[Phase, ...]:
        if self.simultaneous:
            return super().phases()
        return (Phase(Turn("critic", self.critic_rule, times=self.repetitions), Turn("generator", self.rule)),)

    def repetitions(self, step: int) -> int:
        """The critic's updates at a step."""
        return self.burst_steps if step < self.burst_first or step % self.burst_every == 0 else self.critic_steps

    def distance(self, real: Tensor, fake: Tensor) -> Terms:
        """What the critic raises and the generator lowers, of codes ``(B, d)``."""
        value = (len(self.bandwidths) * mmd2(real, fake, self.bandwidths)).clamp_min(0)
        terms = {"mmd": (value + 1e-8).sqrt()}
        return terms | ({"rank": self.rank * (real.mean(0) - fake.mean(0)).clamp_max(0).mean()} if self.rank else {})

    def critic(self, n: Nets, r: Round) -> Terms:
        with n.given():
            fake = n.G(r.z)
        real, made = n.E(r.x), n.E(fake)
        terms = {k: -v for k, v in self.distance(real, made).items()}
        if not self.reconstruction:
            return terms
        errors = {"real": (n.D(real) - r.x).square().mean(), "generated": (n.D(made) - fake).square().mean()}
        return terms | {k: self.reconstruction * e for k, e in errors.items()}

    def generator(self, n: Nets, r: Round) -> Terms:
        with n.given():
            real = n.E(r.x)
        return self.distance(real, n.E(n.G(r.z)))

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.G(self.prior.sample(size, rng))

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.G(z)

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.E(x)

    def reconstruct(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.D(n.E(x))

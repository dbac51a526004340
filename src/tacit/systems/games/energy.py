"""Games whose critic is an autoencoder: what it cannot reconstruct is not real."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn.functional import normalize

from tacit.core.game import Defaults, Player, Round, Terms
from tacit.core.nets import Nets
from tacit.core.parts import Objective, Prior
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.objectives.energy_margin import EnergyMargin
from tacit.objectives.equilibrium import Equilibrium
from tacit.priors.gaussian import Gaussian, Uniform
from tacit.systems.games.adversarial import Adversarial, per_row


@dataclass(frozen=True, kw_only=True)
class AutoencoderDuel(Adversarial):
    """A generator against an autoencoder's reconstruction error; the error's measure is the concrete system's.

    Args:
        prior: distribution of z.
        code_dim: width of the autoencoder's code.
    """

    abstract: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ("energy",)
    sees: ClassVar[tuple[str, ...]] = ()
    prior: Prior = field(default_factory=lambda: Gaussian(64))
    code_dim: int = 32

    family: ClassVar[str] = "games"
    defaults: ClassVar[Defaults] = Defaults(steps=10_000, batch_size=128)

    def validate(self) -> None:
        super().validate()
        per_row(self.penalty, self.networks, "critic_norm", "norm")
        if self.code_dim < 1:
            raise InputError(f"{type(self).__name__} got code_dim={self.code_dim}; expected 1 or more; try 32")

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        encoder, decoder = self.networks.encoder(spec, self.code_dim), self.networks.decoder(self.code_dim, spec)
        critic = {"E": self.penalty.wrap(encoder), "D": self.penalty.wrap(decoder)}
        return {"G": self.networks.generator(self.prior, spec), **critic}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return Round(x=batch.x, z=self.prior.sample(len(batch), rng), eps=rng.uniform(len(batch)))

    def players(self) -> tuple[Player, ...]:
        return self.judge(self.critic, "E", "D"), Player("generator", owns=("G",), loss=self.generator)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """The energy of rows whose reconstructions are known, ``(B,)``."""
        raise NotImplementedError

    def energy(self, n: Nets, x: Tensor) -> Tensor:
        return self.distance(n.D(n.E(x)), x)

    def verdict(self, n: Nets, x: Tensor) -> Tensor:
        return self.energy(n, x)

    def critic(self, n: Nets, r: Round) -> Terms:
        with n.given():
            fake = n.G(r.z)
        return self.contest(lambda x: self.energy(n, x), r.x, fake, r)

    def generator(self, n: Nets, r: Round) -> Terms:
        return {"adversarial": self.objective.generator(self.energy(n, n.G(r.z)), memory=r.memory)}

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.G(self.prior.sample(size, rng))

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.E(x)

    def reconstruct(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.D(n.E(x))

    def score(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return -self.energy(n, x)


@dataclass(frozen=True, kw_only=True)
class EBGAN(AutoencoderDuel):
    """Energy-based GAN: D minimises E D(x) + E max(0, m − D(G(z))), G minimises E D(G(z)) + w·PT, D(x) = ‖Dec(Enc(x)) − x‖₂.

    The pulling-away term PT = Σ_{i≠j} cos²(S_i, S_j)/(B(B − 1)), S = Enc(G(z)) ``(B, code_dim)``, spreads the codes of what is
    generated. x ``(B, *shape)``.

    Source: Zhao et al. 2017, arXiv:1609.03126.

    Args:
        objective: an objective over energies; its margin is in units of ‖·‖₂ over a whole row.
        pulling_away: w; 0 is the plain EBGAN, the paper's EBGAN-PT has 0.1.

    >>> import tacit
    >>> model = tacit.EBGAN(objective=tacit.objectives.EnergyMargin(2.0), code_dim=2).fit("ring8", steps=5)
    >>> model.sample(3).shape
    (3, 2)
    """

    objective: Objective = field(default_factory=EnergyMargin)
    pulling_away: float = 0.1
    paper: ClassVar[str] = "Zhao et al. 2017, arXiv:1609.03126"

    def validate(self) -> None:
        super().validate()
        if self.pulling_away < 0:
            raise InputError(f"EBGAN got pulling_away={self.pulling_away}; expected 0 or more; the paper uses 0.1")

    @property
    def couples_batch(self) -> bool:
        return super().couples_batch or self.pulling_away > 0

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        return ((x - y).flatten(1).square().sum(1) + 1e-12).sqrt()

    def generator(self, n: Nets, r: Round) -> Terms:
        fake = n.G(r.z)
        codes = n.E(fake)
        terms = {"adversarial": self.objective.generator(self.distance(n.D(codes), fake), memory=r.memory)}
        return terms | ({"pulling_away": self.pulling_away * pulling_away(codes)} if self.pulling_away else {})


@dataclass(frozen=True, kw_only=True)
class BEGAN(AutoencoderDuel):
    """Boundary equilibrium GAN: D minimises E L(x) − k·E L(G(z)), G minimises E L(G(z)), L(x) = mean |x − Dec(Enc(x))|^η.

    k ← clip(k + λ(γ·E L(x) − E L(G(z))), 0, 1) holds E L(G(z)) at γ·E L(x), and M = E L(x) + |γ·E L(x) − E L(G(z))|, logged as
    ``critic/convergence``, falls as the game converges. x ``(B, *shape)``, z ~ U[−1, 1].

    Source: Berthelot et al. 2017, arXiv:1703.10717.

    Args:
        objective: an objective over energies; its ``gamma`` trades variety for sharpness.
        power: η, 1 or 2.

    >>> import tacit
    >>> model = tacit.BEGAN(code_dim=8).fit("digits", steps=5)
    >>> "critic/convergence" in model.log[-1]
    True
    """

    objective: Objective = field(default_factory=Equilibrium)
    prior: Prior = field(default_factory=lambda: Uniform(64))
    power: int = 1
    paper: ClassVar[str] = "Berthelot et al. 2017, arXiv:1703.10717"

    def validate(self) -> None:
        super().validate()
        if self.power not in (1, 2):
            raise InputError(f"BEGAN got power={self.power}; expected 1 or 2; the paper's pictures are made with 1")

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        return (x - y).abs().pow(self.power).flatten(1).mean(1)


def pulling_away(codes: Tensor) -> Tensor:
    """Σ_{i≠j} cos²(S_i, S_j)/(B(B − 1)), in [0, 1]; codes ``(B, d)``, B ≥ 2."""
    unit = normalize(codes, dim=1)
    cosines = unit @ unit.T
    size = len(codes)
    return (cosines.square().sum() - cosines.diagonal().square().sum()) / max(size * (size - 1), 1)

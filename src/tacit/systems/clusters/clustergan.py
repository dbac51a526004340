"""ClusterGAN."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tacit.core.game import Defaults, Phase, Player, Round, System, Terms, Turn
from tacit.core.nets import Nets
from tacit.core.parts import Networks, Objective, Penalty, Rule
from tacit.core.rng import Rng
from tacit.networks.dcgan import DCGAN
from tacit.objectives.non_saturating import NonSaturating
from tacit.penalties.gradient import GradientNorm
from tacit.priors.one_hot_gaussian import OneHotGaussian
from tacit.rules.optimisers import Adam
from tacit.systems.games.gan import compatible


@dataclass(frozen=True, kw_only=True)
class ClusterGAN(System):
    """min_{G,E} max_D V(D, G) + β_n E‖z_n − E_n(G(z))‖² + β_c E H(z_c, E_c(G(z))).

    Source: Mukherjee et al. 2019, arXiv:1809.03627.
    """

    n_clusters: int = 10
    latent_dim: int = 30
    sigma: float = 0.1
    networks: Networks = field(default_factory=lambda: DCGAN(dense=1024))
    objective: Objective = field(default_factory=NonSaturating)
    penalty: Penalty = field(default_factory=lambda: GradientNorm(1.0, every=8))
    beta_n: float = 10.0
    beta_c: float = 10.0
    rule: Rule = field(default_factory=lambda: Adam(2e-4, (0.5, 0.9)))
    critic_rule: Rule = field(default_factory=lambda: Adam(2e-4, (0.5, 0.9)))
    critic_steps: int = 1

    family: ClassVar[str] = "clusters"
    paper: ClassVar[str] = "Mukherjee et al. 2019, arXiv:1809.03627"
    defaults: ClassVar[Defaults] = Defaults(steps=20_000, batch_size=64)

    def validate(self) -> None:
        compatible(self.objective, self.penalty, self.networks)

    def prior(self) -> OneHotGaussian:
        return OneHotGaussian(self.n_clusters, self.latent_dim, self.sigma)

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {
            "G": self.networks.generator(self.prior(), spec),
            "D": self.penalty.wrap(self.networks.critic(spec)),
            "E": self.networks.encoder(spec, self.prior().code_dim),
        }

    def memory(self, spec: Any) -> dict[str, Tensor]:
        return self.objective.memory()

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return Round(x=batch.x, z=self.prior().sample(len(batch), rng), eps=rng.uniform(len(batch)))

    def players(self) -> tuple[Player, ...]:
        return (
            Player("critic", owns=("D",), loss=self.critic, project=self.penalty.project),
            Player("generator", owns=("G", "E"), loss=self.generator),
        )

    def critic(self, n: Nets, r: Round) -> Terms:
        fake = n.G(r.z).detach()
        return {
            "adversarial": self.objective.critic(n.D(r.x), n.D(fake), r.memory),
            "penalty": self.penalty(n.D, r.x, fake, r.eps, r.step),
        }

    def generator(self, n: Nets, r: Round) -> Terms:
        fake = n.G(r.z)
        code = self.prior().split(n.E(fake))
        return {
            "adversarial": self.objective.generator(n.D(fake), memory=r.memory),
            "continuous": self.beta_n * (code.continuous - r.z.continuous).square().mean(),
            "categorical": self.beta_c * cross_entropy(code.logits, r.z.categorical),
        }

    def after(self, memory: dict[str, Tensor], log: dict[str, Tensor]) -> dict[str, Tensor]:
        return self.objective.after(memory, log)

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(Turn("critic", self.critic_rule, times=self.critic_steps), Turn("generator", self.rule)),)

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.G(self.prior().sample(size, rng))

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.G(z)

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self.prior().embed(self.prior().split(n.E(x)))

    def reconstruct(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.G(self.encode(n, x, rng))

    def cluster(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self.prior().split(n.E(x)).logits.argmax(1)

"""A generator against a discriminator, over any objective."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from tacit.core.game import Defaults, Phase, Player, Round, System, Terms, Turn
from tacit.core.nets import Nets
from tacit.core.parts import Networks, Objective, Penalty, Prior, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.dcgan import DCGAN as DCGANNetworks
from tacit.networks.mlp import MLP
from tacit.objectives.non_saturating import NonSaturating
from tacit.objectives.wasserstein import Wasserstein
from tacit.penalties.gradient import GradientPenalty
from tacit.penalties.none import NoPenalty
from tacit.priors.gaussian import Gaussian
from tacit.rules.optimisers import Adam


@dataclass(frozen=True, kw_only=True)
class GAN(System):
    """Generative adversarial network: min_G max_D V(D, G) over any objective, penalty, prior, networks and rule.

    With the default objective, D minimises −E log D(x) − E log(1 − D(G(z))) and G minimises −E log D(G(z)), x and G(z)
    of the data's shape ``(B, *shape)``, z ~ prior, D = σ(logit).

    Source: Goodfellow et al. 2014, arXiv:1406.2661.

    Args:
        networks: architecture of G and D.
        prior: distribution of z.
        objective: what the two players are paid.
        penalty: restriction of D.
        rule, critic_rule: how G and D move.
        critic_steps: updates of D for each update of G.

    >>> import tacit
    >>> model = tacit.GAN(prior=tacit.Gaussian(2)).fit("ring8", steps=20)
    >>> model.sample(5).shape
    (5, 2)
    """

    networks: Networks = field(default_factory=lambda: MLP(widths=(128, 128)))
    prior: Prior = field(default_factory=lambda: Gaussian(64))
    objective: Objective = field(default_factory=NonSaturating)
    penalty: Penalty = field(default_factory=NoPenalty)
    rule: Rule = field(default_factory=lambda: Adam(2e-4, (0.5, 0.999)))
    critic_rule: Rule = field(default_factory=lambda: Adam(2e-4, (0.5, 0.999)))
    critic_steps: int = 1

    family: ClassVar[str] = "games"
    paper: ClassVar[str] = "Goodfellow et al. 2014, arXiv:1406.2661"
    defaults: ClassVar[Defaults] = Defaults(steps=10_000, batch_size=128)

    def validate(self) -> None:
        compatible(self.objective, self.penalty, self.networks)
        if self.critic_steps < 1:
            raise InputError(f"{type(self).__name__} got critic_steps={self.critic_steps}; expected 1 or more; the usual is 1 or 5")

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {"G": self.networks.generator(self.prior, spec), "D": self.penalty.wrap(self.networks.critic(spec))}

    def memory(self, spec: Any) -> dict[str, Tensor]:
        return self.objective.memory()

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return Round(x=batch.x, z=self.prior.sample(len(batch), rng), eps=rng.uniform(len(batch)))

    def players(self) -> tuple[Player, ...]:
        return (
            Player("critic", owns=("D",), loss=self.critic, project=self.penalty.project),
            Player("generator", owns=("G",), loss=self.generator),
        )

    def critic(self, n: Nets, r: Round) -> Terms:
        fake = n.G(r.z).detach()
        return {
            "adversarial": self.objective.critic(n.D(r.x), n.D(fake), r.memory),
            "penalty": self.penalty(n.D, r.x, fake, r.eps, r.step),
        }

    def generator(self, n: Nets, r: Round) -> Terms:
        return {"adversarial": self.objective.generator(n.D(n.G(r.z)), memory=r.memory)}

    def after(self, memory: dict[str, Tensor], log: dict[str, Tensor]) -> dict[str, Tensor]:
        return self.objective.after(memory, log)

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(Turn("critic", self.critic_rule, times=self.critic_steps), Turn("generator", self.rule)),)

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.G(self.prior.sample(size, rng))

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.G(z)


def compatible(objective: Objective, penalty: Penalty, networks: Networks) -> None:
    """Refuse compositions without a meaning, naming both sides.

    Raises:
        InputError: an objective over Lipschitz critics without a penalty that makes them so; batch normalisation in a
            critic whose penalty is taken row by row.
    """
    if objective.needs_lipschitz and not penalty.lipschitz:
        raise InputError(
            f"the objective {type(objective).__name__} with the penalty {type(penalty).__name__} has no meaning, since its critic "
            "must be Lipschitz; expected GradientPenalty, WeightClipping or SpectralNormalisation; choose one of them"
        )
    if penalty.second_order and getattr(networks, "critic_norm", "none") == "batch":
        raise InputError(
            f"the penalty {type(penalty).__name__} with batch normalisation in the critic of {type(networks).__name__} has no meaning, "
            "since each row's gradient would depend on the others; expected critic_norm='none' or 'layer'; choose one"
        )


@dataclass(frozen=True, kw_only=True)
class DCGAN(GAN):
    """Deep convolutional GAN: the non-saturating game between strided convolutional networks with batch normalisation.

    D minimises −E log D(x) − E log(1 − D(G(z))); G minimises −E log D(G(z)); x ``(B, C, H, W)`` in [0, 1] with sides that
    are even and 8 px or more, z ~ U[−1, 1] or N(0, I) ``(B, latent_dim)``.

    Source: Radford, Metz & Chintala 2016, arXiv:1511.06434.

    >>> import tacit
    >>> model = tacit.DCGAN(networks=tacit.networks.DCGAN(width=8)).fit("digits", steps=5)
    >>> model.sample(4).shape
    (4, 1, 8, 8)
    """

    networks: Networks = field(default_factory=lambda: DCGANNetworks(critic_norm="batch"))
    paper: ClassVar[str] = "Radford et al. 2016, arXiv:1511.06434"

    def check(self, spec: Any, n_rows: int) -> None:
        self.networks.check(spec)


@dataclass(frozen=True, kw_only=True)
class WGANGP(GAN):
    """Wasserstein GAN with gradient penalty.

    Critic: min E D(G(z)) − E D(x) + λ E(‖∇D(x̂)‖ − 1)², x̂ on lines between x and G(z); generator: min −E D(G(z)); five
    critic steps for each of the generator's, no batch normalisation in the critic; x ``(B, *shape)``.

    Source: Gulrajani et al. 2017, arXiv:1704.00028.

    >>> import tacit
    >>> model = tacit.WGANGP(prior=tacit.Gaussian(2)).fit("moons", steps=5)
    >>> model.sample(3).shape
    (3, 2)
    """

    objective: Objective = field(default_factory=Wasserstein)
    penalty: Penalty = field(default_factory=lambda: GradientPenalty(10.0))
    rule: Rule = field(default_factory=lambda: Adam(1e-4, (0.0, 0.9)))
    critic_rule: Rule = field(default_factory=lambda: Adam(1e-4, (0.0, 0.9)))
    critic_steps: int = 5
    paper: ClassVar[str] = "Gulrajani et al. 2017, arXiv:1704.00028"

"""A generator against a discriminator, over any objective."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from torch import Tensor, nn

from tacit.core.game import Defaults, Player, Round, Terms, World
from tacit.core.nets import Nets
from tacit.core.parts import Networks, Objective, Penalty, Prior, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.dcgan import DCGAN as DCGANNetworks
from tacit.objectives.wasserstein import Wasserstein
from tacit.penalties.gradient import GradientPenalty
from tacit.priors.gaussian import Gaussian
from tacit.rules.optimisers import Adam
from tacit.systems.games.adversarial import Adversarial


@dataclass(frozen=True, kw_only=True)
class GAN(Adversarial):
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
        pack: rows that D sees together, joined along their first axis (features, channels); real and fake alike
            (Lin et al. 2018, arXiv:1712.04086).

    >>> import tacit
    >>> model = tacit.GAN(prior=tacit.Gaussian(2)).fit("ring8", steps=20)
    >>> model.sample(5).shape
    (5, 2)
    """

    prior: Prior = field(default_factory=lambda: Gaussian(64))
    pack: int = 1

    family: ClassVar[str] = "games"
    paper: ClassVar[str] = "Goodfellow et al. 2014, arXiv:1406.2661"
    defaults: ClassVar[Defaults] = Defaults(steps=10_000, batch_size=128)

    def validate(self) -> None:
        super().validate()
        if self.pack < 1:
            raise InputError(f"{type(self).__name__} got pack={self.pack}; expected 1 or more; 1 shows D single rows")

    @property
    def couples_batch(self) -> bool:
        return super().couples_batch or self.pack > 1

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        seen = replace(spec, shape=(self.pack * spec.shape[0], *spec.shape[1:])) if self.pack > 1 else spec
        return {"G": self.networks.generator(self.prior, spec), "D": self.penalty.wrap(self.networks.critic(seen))}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return Round(x=batch.x, z=self.prior.sample(len(batch), rng), eps=rng.uniform(len(batch)))

    def players(self) -> tuple[Player, ...]:
        return (
            self.judge(self.critic),
            Player("generator", owns=("G",), loss=self.generator),
        )

    def packed(self, x: Tensor) -> Tensor:
        """Rows as D sees them: ``(B, c, …)`` → ``(B/pack, pack·c, …)``."""
        if len(x) % self.pack:
            raise InputError(
                f"{type(self).__name__} got {len(x)} rows at once with pack={self.pack}; expected a multiple of {self.pack}; "
                "change batch_size, or the number of micro-batches or ranks"
            )
        return x.unflatten(0, (-1, self.pack)).flatten(1, 2) if self.pack > 1 else x

    def seen(self, world: World, count: int) -> Tensor:
        return self.packed(world.first(self.pack * count))

    def critic(self, n: Nets, r: Round) -> Terms:
        with n.given():
            fake = n.G(r.z)
        return self.contest(n.D, self.packed(r.x), self.packed(fake), r.but(eps=r.eps[:: self.pack]))

    def generator(self, n: Nets, r: Round) -> Terms:
        return {"adversarial": self.objective.generator(n.D(self.packed(n.G(r.z))), memory=r.memory)}

    def verdict(self, n: Nets, x: Tensor) -> Tensor:
        return n.D(self.packed(x)).repeat_interleave(self.pack)

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.G(self.prior.sample(size, rng))

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.G(z)


@dataclass(frozen=True, kw_only=True)
class DCGAN(GAN):
    """Deep convolutional GAN: the non-saturating game between strided convolutional networks with batch normalisation.

    D minimises −E log D(x) − E log(1 − D(G(z))); G minimises −E log D(G(z)); x ``(B, C, H, W)`` in [0, 1] with sides that
    are even and 8 px or more, z ~ U[−1, 1] or N(0, I) ``(B, latent_dim)``.

    Source: Radford, Metz & Chintala 2016, arXiv:1511.06434.

    >>> import tacit
    >>> model = tacit.DCGAN(networks=tacit.networks.DCGAN(width=8)).fit("digits", steps=5)
    >>> model.sample(4).shape
    (4, 8, 8)
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

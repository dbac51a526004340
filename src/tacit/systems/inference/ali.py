"""A generator and an encoder against a discriminator of pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from tacit.core.game import Defaults, Player, Round, Terms
from tacit.core.nets import Nets
from tacit.core.parts import Prior
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.joint import JointCritic, pair
from tacit.priors.gaussian import Gaussian
from tacit.systems.autoencoders.vae import posterior
from tacit.systems.games.adversarial import Adversarial


@dataclass(frozen=True, kw_only=True)
class ALI(Adversarial):
    """Adversarially learned inference: min_{G,E} max_D E log D(x, ẑ) + E log(1 − D(G(z), z)), ẑ ~ q(z|x), z ~ prior.

    At the optimum the joint distributions of (x, ẑ) and (G(z), z) are one, so that E inverts G. q(z|x) = N(μ(x), σ²(x)), by
    reparameterisation; G wants its pairs to look inferred, E its pairs to look generated. x ``(B, *shape)``, z ``(B, d)``.

    Source: Dumoulin et al. 2017, arXiv:1606.00704; with ``stochastic=False`` BiGAN, Donahue et al. 2017, arXiv:1605.09782.

    Args:
        prior: distribution of z.
        stochastic: whether E draws, or gives one code a row.

    >>> import tacit
    >>> model = tacit.ALI(prior=tacit.Gaussian(2)).fit("ring8", steps=5)
    >>> model.encode("ring8")[:3].shape, model.sample(3).shape
    ((3, 2), (3, 2))
    """

    sees: ClassVar[tuple[str, ...]] = ()
    prior: Prior = field(default_factory=lambda: Gaussian(64))
    stochastic: bool = True

    family: ClassVar[str] = "inference"
    paper: ClassVar[str] = "Dumoulin et al. 2017, arXiv:1606.00704"
    defaults: ClassVar[Defaults] = Defaults(steps=10_000, batch_size=128)

    def validate(self) -> None:
        super().validate()
        if not self.objective.odd:
            raise InputError(
                f"{type(self).__name__} with the objective {type(self.objective).__name__} has no meaning, since its encoder is paid "
                "for the opposite of D's output; expected Minimax, NonSaturating, LogRatio, Hinge or Wasserstein; choose one"
            )

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        out = self.prior.dim * (2 if self.stochastic else 1)
        critic = self.penalty.wrap(JointCritic(self.networks, spec, self.prior.dim))
        return {"G": self.networks.generator(self.prior, spec), "E": self.networks.encoder(spec, out), "D": critic}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        size = len(batch)
        return Round(x=batch.x, z=self.prior.sample(size, rng), e=rng.normal(size, self.prior.dim), eps=rng.uniform(size))

    def players(self) -> tuple[Player, ...]:
        return self.judge(self.critic), Player("generator", owns=("G", "E"), loss=self.generator)

    def infer(self, n: Nets, x: Tensor, e: Tensor | None = None) -> Tensor:
        """A code of each row: the mean, or a draw by the noise e."""
        if not self.stochastic:
            return n.E(x)
        mu, log_var = posterior(n.E(x))
        return mu if e is None else mu + (0.5 * log_var).exp() * e

    def verdict(self, n: Nets, x: Tensor) -> Tensor:
        return n.D(pair(x, self.infer(n, x)))

    def pairs(self, n: Nets, r: Round) -> tuple[Tensor, Tensor]:
        return pair(r.x, self.infer(n, r.x, r.e)), pair(n.G(r.z), self.prior.join(r.z))

    def critic(self, n: Nets, r: Round) -> Terms:
        with n.given():
            inferred, generated = self.pairs(n, r)
        return self.contest(n.D, inferred, generated, r)

    def generator(self, n: Nets, r: Round) -> Terms:
        inferred, generated = self.pairs(n, r)
        return {
            "adversarial": self.objective.generator(n.D(generated), memory=r.memory),
            "inference": self.objective.generator(-n.D(inferred), memory=r.memory),
        }

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.G(self.prior.sample(size, rng))

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self.infer(n, x)

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.G(z)

    def reconstruct(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.G(self.infer(n, x))

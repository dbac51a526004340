"""Games whose generator must also pass through every row of the data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import Tensor, nn

from tacit.core.game import Phase, Player, Round, Terms, Turn
from tacit.core.nets import Nets
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.systems.games.adversarial import stateless
from tacit.systems.games.gan import GAN


@dataclass(frozen=True, kw_only=True)
class ModeRegularisedGAN(GAN):
    """Mode-regularised GAN: G and E also minimise E_x[λ₁·d(x, G(E(x))) − λ₂·log D(G(E(x)))], so that G passes near every row.

    G minimises −E log D(G(z)) beside it, D is the usual discriminator of x and G(z); d is the squared error, mean over a row.
    The second term is −λ₂·log D in the minimised loss: G and E are paid where D takes G(E(x)) for real. x ``(B, *shape)``.

    Source: Che et al. 2017, arXiv:1612.02136.

    Args:
        match: λ₁. cover: λ₂.

    >>> import tacit
    >>> model = tacit.systems.ModeRegularisedGAN(prior=tacit.Gaussian(2)).fit("ring8", steps=5)
    >>> model.reconstruct("ring8")[:3].shape
    (3, 2)
    """

    match: float = 0.2
    cover: float = 0.4
    paper: ClassVar[str] = "Che et al. 2017, arXiv:1612.02136"

    def validate(self) -> None:
        super().validate()
        if self.match < 0 or self.cover < 0:
            raise InputError(f"{type(self).__name__} got match={self.match}, cover={self.cover}; expected 0 or more; mend them")

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return super().nets(spec) | {"E": self.networks.encoder(spec, self.prior.dim)}

    def players(self) -> tuple[Player, ...]:
        return self.judge(self.critic), Player("generator", owns=("G", "E"), loss=self.generator)

    def generator(self, n: Nets, r: Round) -> Terms:
        back = n.G(n.E(r.x))
        return super().generator(n, r) | {
            "match": self.match * (back - r.x).square().mean(),
            "cover": self.cover * self.objective.generator(n.D(self.packed(back)), memory=r.memory),
        }

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.E(x)

    def reconstruct(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.G(n.E(x))


@dataclass(frozen=True, kw_only=True)
class MDGAN(ModeRegularisedGAN):
    """Manifold–diffusion GAN: first the manifold, by D₁ between x and G(E(x)); then the diffusion, by D₂ between G(E(x)) and G(z).

    Manifold: D₁ minimises −E log D₁(x) − E log(1 − D₁(G(E(x)))); G and E minimise λ₂·(−E log D₁(G(E(x)))) + λ₁·E d(x, G(E(x))).
    Diffusion: D₂ minimises −E log D₂(G(E(x))) − E log(1 − D₂(G(z))); G minimises −E log D₂(G(z)). Each takes its turn at every
    step; what D₂ calls real lies on G's manifold already, so its gradients reach G. x ``(B, *shape)``.

    Source: Che et al. 2017, arXiv:1612.02136.

    >>> import tacit
    >>> model = tacit.MDGAN(prior=tacit.Gaussian(2)).fit("ring8", steps=5)
    >>> model.sample(3).shape
    (3, 2)
    """

    sees: ClassVar[tuple[str, ...]] = ()
    match: float = 1.0
    cover: float = 0.01

    def validate(self) -> None:
        super().validate()
        stateless(self)

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        first, second = super().nets(spec), super().nets(spec)
        return {"G": first["G"], "E": first["E"], "D1": first["D"], "D2": second["D"]}

    def players(self) -> tuple[Player, ...]:
        return (
            replace(self.judge(self.manifold_critic, "D1"), name="manifold_critic"),
            Player("manifold", owns=("G", "E"), loss=self.manifold),
            self.judge(self.critic, "D2"),
            Player("generator", owns=("G",), loss=self.generator),
        )

    def phases(self) -> tuple[Phase, ...]:
        critic, rule = self.critic_rule, self.rule
        return (Phase(Turn("manifold_critic", critic), Turn("manifold", rule), Turn("critic", critic), Turn("generator", rule)),)

    def judged(self, n: Nets, r: Round, D: nn.Module, real: Tensor, fake: Tensor) -> Terms:
        return self.contest(D, self.packed(real), self.packed(fake), r.but(eps=r.eps[:: self.pack]))

    def manifold_critic(self, n: Nets, r: Round) -> Terms:
        with n.given():
            back = n.G(n.E(r.x))
        return self.judged(n, r, n.D1, r.x, back)

    def manifold(self, n: Nets, r: Round) -> Terms:
        back = n.G(n.E(r.x))
        return {
            "match": self.match * (back - r.x).square().mean(),
            "cover": self.cover * self.objective.generator(n.D1(self.packed(back)), memory=r.memory),
        }

    def critic(self, n: Nets, r: Round) -> Terms:
        with n.given():
            back, fake = n.G(n.E(r.x)), n.G(r.z)
        return self.judged(n, r, n.D2, back, fake)

    def generator(self, n: Nets, r: Round) -> Terms:
        return {"adversarial": self.objective.generator(n.D2(self.packed(n.G(r.z))), memory=r.memory)}

    def verdict(self, n: Nets, x: Tensor) -> Tensor:
        return n.D1(self.packed(x)).repeat_interleave(self.pack)

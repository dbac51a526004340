"""A generator that also moves to where a denoiser takes the discriminator's features."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tacit.core.game import Defaults, Phase, Player, Round, Terms, Turn
from tacit.core.nets import Nets
from tacit.core.parts import Networks, Prior, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.layers import Scalar, trunk_and_head
from tacit.networks.mlp import MLP
from tacit.priors.gaussian import Gaussian
from tacit.rules.optimisers import Adam
from tacit.systems.games.adversarial import Adversarial


@dataclass(frozen=True, kw_only=True)
class DenoisingFeatureMatchingGAN(Adversarial):
    """min_G λ·E‖φ − r(φ)‖²/K − E log D(G(z)), φ = E(G(z)) ``(B, K)``, beside the game of D(x) = σ(D(E(x))).

    E gives the last hidden layer of the discriminator. The denoiser r = R is trained on data, min_R E‖R(E(x) + σε) − E(x)‖²/K, ε ~ N(0, I),
    once for each step, as E moves; r(φ) − φ then points to where data are denser, and r(φ) is held fixed as the generator's
    target. x ``(B, *shape)``.

    Source: Warde-Farley & Bengio 2017, https://openreview.net/forum?id=S1X7nhsxl.

    Args:
        networks: architecture of G and of the discriminator, cut before its last layer into E and D.
        prior: distribution of z.
        denoise: λ; the paper has 0.03, beside a weight of 1 of the adversarial term, on features that are normalised. Features that vary
            less ask for more: those of an MLP without normalisation gave the best samples near 60.
        noise: σ, in units of the features.
        denoiser: architecture of R.
        denoiser_rule: how R moves.

    >>> import tacit
    >>> model = tacit.DenoisingFeatureMatchingGAN(prior=tacit.Gaussian(2), denoiser=tacit.MLP(widths=(32,))).fit("ring8", steps=5)
    >>> model.sample(3).shape, model.encode("ring8").shape[1]
    ((3, 2), 128)
    """

    prior: Prior = field(default_factory=lambda: Gaussian(64))
    denoise: float = 0.03
    noise: float = 1.0
    denoiser: Networks = field(default_factory=lambda: MLP(widths=(512, 512), norm="batch"))
    denoiser_rule: Rule = field(default_factory=lambda: Adam(1e-3, (0.5, 0.999)))

    family: ClassVar[str] = "games"
    paper: ClassVar[str] = "Warde-Farley & Bengio 2017, https://openreview.net/forum?id=S1X7nhsxl"
    defaults: ClassVar[Defaults] = Defaults(steps=10_000, batch_size=128)

    def validate(self) -> None:
        super().validate()
        if self.denoise < 0 or self.noise <= 0:
            raise InputError(
                f"DenoisingFeatureMatchingGAN got denoise={self.denoise}, noise={self.noise}; expected a weight of 0 or more and a "
                "positive deviation; the paper has 0.03 and 1"
            )

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        G = self.networks.generator(self.prior, spec)
        E, D = trunk_and_head(self.networks.encoder(spec, 1))
        width = D.in_features
        R = self.denoiser.decoder(width, replace(spec, shape=(width,), kind="vector", bounded=False))
        return {"G": G, "E": self.penalty.wrap(E), "D": self.penalty.wrap(nn.Sequential(D, Scalar())), "R": R}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        size, width = len(batch), n.D[0].in_features
        return Round(x=batch.x, z=self.prior.sample(size, rng), eps=rng.uniform(size), noise=rng.normal(size, width))

    def players(self) -> tuple[Player, ...]:
        return (
            self.judge(self.critic, "E", "D"),
            Player("denoiser", owns=("R",), loss=self.restore),
            Player("generator", owns=("G",), loss=self.generator),
        )

    def phases(self) -> tuple[Phase, ...]:
        first, *rest = super().phases()[0].turns
        return (Phase(first, Turn("denoiser", self.denoiser_rule), *rest),)

    def critic(self, n: Nets, r: Round) -> Terms:
        with n.given():
            fake = n.G(r.z)
        return self.contest(lambda x: n.D(n.E(x)), r.x, fake, r)

    def restore(self, n: Nets, r: Round) -> Terms:
        with n.given():
            features = n.E(r.x)
        return {"denoise": (n.R(features + self.noise * r.noise) - features).square().mean()}

    def generator(self, n: Nets, r: Round) -> Terms:
        features = n.E(n.G(r.z))
        with torch.no_grad():
            target = n.R(features)
        return {
            "denoise": self.denoise * (features - target).square().mean(),
            "adversarial": self.objective.generator(n.D(features), memory=r.memory),
        }

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.G(self.prior.sample(size, rng))

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.G(z)

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.E(x)

    def score(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.D(n.E(x))

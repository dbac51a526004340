"""A generator whose samples must tell which code they were made from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tacit.augmentations.noise import NoAugmentation
from tacit.core.game import Defaults, Player, Round, Terms
from tacit.core.nets import Nets
from tacit.core.parts import Augmentation, Networks, Penalty, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.activations import activation
from tacit.networks.layers import Scalar
from tacit.networks.mlp import MLP
from tacit.penalties.gradient import GradientNorm
from tacit.priors.codes import CodedLatent, Codes
from tacit.rules.optimisers import Adam
from tacit.systems.clusters.rim import agreement, sorted_rows
from tacit.systems.games.adversarial import Adversarial


@dataclass(frozen=True, kw_only=True)
class InfoGAN(Adversarial):
    """InfoGAN: min_{G,Q} max_D V(D, G) − λ·L_I(G, Q), L_I = E log q(c|G(c, ε)) + H(c) ≤ I(c; G(c, ε)).

    z = (c, ε) of the prior :class:`tacit.priors.Codes`: categories, uniform and Gaussian codes, any number of each, and noise ε.
    D(x) = head(f(x)) and q(c|x) = Q(f(x)) share the trunk f(x) ``(B, features)``, which both V and L_I move; Q is categorical
    for categories and a factored Gaussian for numbers. V is any objective. x ``(B, *shape)``; the log has L_I of each code in nats.

    Beyond the paper, and off by default: T, and ρ·[E H(p) − b·H(E p) + s·E KL(p ‖ q(c₁|T(x)))], p = q(c₁|x) on real rows x, which D's
    player minimises: sure of each row, even over all, the same for a row and its change (Krause et al. 2010; Hu et al. 2017,
    arXiv:1702.08720).

    Source: Chen et al. 2016, arXiv:1606.03657.

    Args:
        networks: architecture of G and of f, whose last layer is linear and then leaky. The paper's, for pictures, are convolutions
            normalised by batches in D as well, ``DCGAN(dense=1024, critic_norm="batch")`` with ``NoPenalty()``, 1e-3 for G and 2e-4
            for D; on them a category finds classes sooner.
        prior: the codes and the noise.
        features: width of f(x).
        discrete, continuous: λ for the categories and for the numbers.
        share: whether Q reads D's trunk. Without, Q is a network of its own, fitted at the weight 1 whatever λ is: with both λ
            at 0 the game is a plain GAN's, and L_I says what its samples happen to tell of c.
        augment: T, a small random change of every row, real or generated, that D and Q see.
        real: ρ, the weight of what is asked of the first category on real rows.
        balance: b, the weight of evenness in it.
        stability: s, the weight of a row and its change being of one category.

    >>> import tacit
    >>> prior = tacit.priors.Codes(categories=(10,), uniform=1, noise=8)
    >>> model = tacit.InfoGAN(prior=prior, networks=tacit.networks.MLP(widths=(32,))).fit("digits", steps=10)
    >>> model.cluster("digits").shape, model.encode("digits").shape, model.sample(2).shape
    ((1797,), (1797, 11), (2, 8, 8))
    """

    sees: ClassVar[tuple[str, ...]] = ("F",)
    networks: Networks = field(default_factory=lambda: MLP(widths=(512, 512), norm="batch", init_std=0.02))
    prior: Codes = field(default_factory=Codes)
    penalty: Penalty = field(default_factory=lambda: GradientNorm(0.1, every=8))
    features: int = 128
    discrete: float = 1.0
    continuous: float = 0.1
    share: bool = True
    augment: Augmentation = field(default_factory=NoAugmentation)
    real: float = 0.0
    balance: float = 3.0
    stability: float = 1.0
    rule: Rule = field(default_factory=lambda: Adam(1e-3, (0.5, 0.9), schedule="late-linear"))
    critic_rule: Rule = field(default_factory=lambda: Adam(1e-3, (0.5, 0.9), schedule="late-linear"))

    family: ClassVar[str] = "latent"
    paper: ClassVar[str] = "Chen et al. 2016, arXiv:1606.03657"
    defaults: ClassVar[Defaults] = Defaults(steps=8_000, batch_size=64, ema=0.999, ema_networks=("G", "F", "Q"))

    def validate(self) -> None:
        super().validate()
        if self.features < 1 or self.discrete < 0 or self.continuous < 0:
            raise InputError(
                f"InfoGAN got features={self.features}, discrete={self.discrete}, continuous={self.continuous}; expected a width of 1 or "
                "more and weights of 0 or more; the paper has 1 and 0.1"
            )
        if min(self.real, self.balance, self.stability) < 0 or (self.real and not self.prior.categories):
            raise InputError(
                f"InfoGAN got real={self.real}, balance={self.balance}, stability={self.stability} with {self.prior}; "
                "expected weights of 0 or more, and a category where real is more; mend the one that is not"
            )
        if self.share and not (self.discrete and self.prior.categories) and not (self.continuous and self.prior.continuous):
            raise InputError(
                f"InfoGAN with share=True, discrete={self.discrete} and continuous={self.continuous} has no meaning for {self.prior}, "
                "since Q on D's trunk learns by those weights alone; expected one of them above 0; give share=False for a plain GAN"
            )

    def check(self, spec: Any, n_rows: int) -> None:
        self.augment.check(spec)

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        width, wrap = self.features, self.penalty.wrap

        def trunk() -> nn.Module:
            return nn.Sequential(self.networks.encoder(spec, width), activation("leaky-relu"))

        read = nn.Sequential(nn.Linear(width, width), activation("leaky-relu"), nn.Linear(width, self.prior.code_dim))
        return {
            "G": self.networks.generator(self.prior, spec), "F": wrap(trunk()), "D": wrap(nn.Sequential(nn.Linear(width, 1), Scalar())),
            "Q": read if self.share else nn.Sequential(trunk(), read),
        }  # fmt: skip

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        x, T = batch.x, self.augment
        z = self.prior.sample(len(x), rng)
        return Round(x=x, z=z, eps=rng.uniform(len(x)), t_real=T.draw(x, rng), t_fake=T.draw(x, rng))

    def players(self) -> tuple[Player, ...]:
        restricted = dict.fromkeys(("F", "D"), self.penalty.project)
        return (
            replace(self.judge(self.critic, "F", "D", "Q"), project=restricted),
            Player("generator", owns=("G",), loss=self.generator, logs=tuple(self.prior.entropies())),
        )

    @property
    def couples_batch(self) -> bool:
        return super().couples_batch or self.real > 0

    def verdict(self, n: Nets, x: Tensor) -> Tensor:
        return n.D(n.F(x))

    def first(self, n: Nets, x: Tensor) -> Tensor:
        """Logits of the first category, ``(B, K)``."""
        return self.prior.split(n.Q(n.F(x) if self.share else x)).logits[0]

    def information(self, n: Nets, z: CodedLatent, fake: Tensor, features: Tensor | None = None) -> dict[str, Tensor]:
        """L_I of each code, log q(c_i|x) + H(c_i) in nats, mean over the rows that were generated from z."""
        seen = fake if not self.share else n.F(fake) if features is None else features
        told = self.prior.log_q(self.prior.split(n.Q(seen)), z)
        return {name: told[name].mean() + nats for name, nats in self.prior.entropies().items()}

    def critic(self, n: Nets, r: Round) -> Terms:
        with n.given():
            real, fake = self.augment(r.x, r.t_real), self.augment(n.G(r.z), r.t_fake)
        features = n.F(fake)
        bounds = self.information(n, r.z, fake, features)
        verdicts = self.verdict(n, real), n.D(features)
        weights = (self.discrete, self.continuous) if self.share else (1.0, 1.0)
        terms = self.contest(lambda x: self.verdict(n, x), real, fake, r, verdicts) | paid(bounds, *weights)
        if not self.real:
            return terms
        logits = self.first(n, r.x)
        asked = sorted_rows(logits, self.balance) | {"stability": agreement(self.stability, logits, self.first(n, real))}
        return terms | {k: self.real * v for k, v in asked.items()}

    def generator(self, n: Nets, r: Round) -> Terms:
        fake = self.augment(n.G(r.z), r.t_fake)
        features = n.F(fake)
        bounds = self.information(n, r.z, fake, features)
        terms = {"adversarial": self.objective.generator(n.D(features), memory=r.memory)}
        return terms | paid(bounds, self.discrete, self.continuous) | bounds

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.G(self.prior.sample(size, rng))

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        """Rows from whole latents ``(B, dim)``; or from codes alone ``(B, width)``, with noise that is drawn."""
        return n.G(torch.cat([z, rng.normal(len(z), self.prior.noise)], 1) if z.shape[1] == self.prior.width else z)

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self.prior.embed(self.prior.split(n.Q(n.F(x) if self.share else x)))

    def cluster(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        """The likeliest value of the first categorical code."""
        if not self.prior.categories:
            raise InputError(f"InfoGAN cannot cluster by {self.prior}, which has no category; expected one; fit with categories=(10,)")
        return self.first(n, x).argmax(1)


def paid(bounds: dict[str, Tensor], discrete: float, continuous: float) -> Terms:
    """−λ·L_I of the categories and of the numbers."""
    weights = {"categorical": discrete, "continuous": continuous}
    kinds = {name: "categorical" if name.startswith("category") else "continuous" for name in bounds}
    zero = next(iter(bounds.values())).new_zeros(())
    return {kind: -w * sum((v for k, v in bounds.items() if kinds[k] == kind), zero) for kind, w in weights.items()}

"""Autoencoders whose codes are made to follow a prior, by a game in the space of codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from tacit.core.game import Defaults, Phase, Player, Round, Terms, Turn
from tacit.core.nets import Nets
from tacit.core.parts import Networks, Prior, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.mlp import MLP
from tacit.priors.gaussian import Gaussian
from tacit.priors.one_hot_gaussian import MixedLatent, OneHotGaussian
from tacit.rules.optimisers import Adam
from tacit.systems.autoencoders.vae import posterior
from tacit.systems.clusters.codes import CodeSpec
from tacit.systems.games.adversarial import Adversarial
from tacit.uses.shares import at_least_float32


def falling(lr: float = 5e-4) -> Adam:
    return Adam(lr, (0.5, 0.9), schedule="cosine")


@dataclass(frozen=True, kw_only=True)
class LatentGame(Adversarial):
    """Reconstruction by E and G, then regularisation: D tells draws of the prior from codes, and E is its generator.

    Args:
        networks: architecture of E and G. critic_networks: of D.
        noise: σ of Gaussian noise on what E sees in training, in units of the scaled data.
        stochastic: q(z|x) = N(μ(x), σ²(x)) by reparameterisation, or one code a row.
        encoder_rule, decoder_rule: how E and G move in reconstruction. critic_rule, rule: how D and E move in the game.
    """

    abstract: ClassVar[bool] = True
    sees: ClassVar[tuple[str, ...]] = ()
    judging: ClassVar[str] = "critic_networks"
    networks: Networks = field(default_factory=lambda: MLP(widths=(1000, 1000), critic_act="relu"))
    critic_networks: Networks = field(default_factory=lambda: MLP(widths=(1000, 1000)))
    noise: float = 0.0
    stochastic: bool = False
    encoder_rule: Rule = field(default_factory=falling)
    decoder_rule: Rule = field(default_factory=falling)
    rule: Rule = field(default_factory=falling)
    critic_rule: Rule = field(default_factory=falling)

    family: ClassVar[str] = "autoencoders"
    paper: ClassVar[str] = "Makhzani et al. 2016, arXiv:1511.05644"
    defaults: ClassVar[Defaults] = Defaults(steps=10_000, batch_size=100)

    def validate(self) -> None:
        super().validate()
        if self.noise < 0:
            raise InputError(f"{type(self).__name__} got noise={self.noise}; expected 0 or more; 0 shows the encoder the rows themselves")

    def latent(self) -> Prior:
        """What the codes must follow."""
        raise NotImplementedError

    def encoder(self, spec: Any) -> nn.Module:
        return self.networks.encoder(spec, self.latent().code_dim * (2 if self.stochastic else 1))

    def judge_of(self, dim: int) -> nn.Module:
        """A discriminator of codes ``(B, dim)``."""
        return self.penalty.wrap(self.critic_networks.critic(CodeSpec((dim,))))

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        dim = self.latent().dim
        return {"E": self.encoder(spec), "G": self.networks.decoder(dim, spec), "D": self.judge_of(dim)}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        x, none = batch.x, batch.x.new_zeros(())
        return Round(
            x=x, z=self.latent().sample(len(x), rng), eps=rng.uniform(len(x)),
            noise=rng.normal(*x.shape) if self.noise else none,
            e=rng.normal(len(x), self.latent().code_dim) if self.stochastic else none,
        )  # fmt: skip

    def players(self) -> tuple[Player, ...]:
        return (
            Player("encoder", owns=("E",), loss=self.autoencoder),
            Player("decoder", owns=("G",), loss=self.autoencoder),
            self.judge(self.critic),
            Player("generator", owns=("E",), loss=self.generator),
        )

    def phases(self) -> tuple[Phase, ...]:
        both = Turn(("encoder", "decoder"), (self.encoder_rule, self.decoder_rule))
        return (Phase(both, *super().phases()[0].turns),)

    def losses(self, names: tuple[str, ...], n: Nets, r: Round) -> dict[str, Terms]:
        # One pass for both, who are paid the same.
        return dict.fromkeys(names, self.autoencoder(n, r)) if "decoder" in names else super().losses(names, n, r)

    def code(self, n: Nets, x: Tensor, r: Round | None = None) -> Any:
        """E's output in named pieces; with a round, by its noise."""
        out = n.E(x + self.noise * r.noise if r is not None and self.noise else x)
        if self.stochastic:
            mu, log_var = posterior(out)
            out = mu if r is None else mu + (0.5 * log_var).exp() * r.e
        return self.latent().split(out)

    def infer(self, n: Nets, x: Tensor, r: Round | None = None) -> Tensor:
        """A code of each row as D sees it, ``(B, dim)``."""
        return self.latent().embed(self.code(n, x, r))

    def autoencoder(self, n: Nets, r: Round) -> Terms:
        return {"reconstruction": (at_least_float32(n.G(self.infer(n, r.x, r))) - r.x).square().mean()}

    def critic(self, n: Nets, r: Round) -> Terms:
        with n.given():
            code = self.infer(n, r.x, r)
        return self.contest(n.D, self.latent().join(r.z), code, r)

    def generator(self, n: Nets, r: Round) -> Terms:
        return {"adversarial": self.objective.generator(n.D(self.infer(n, r.x, r)), memory=r.memory)}

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self.infer(n, x)


@dataclass(frozen=True, kw_only=True)
class AAE(LatentGame):
    """Adversarial autoencoder: min_{E,G} E‖x − G(E(x))‖² per element, and min_E max_D V over codes, E(x) against z ~ any prior.

    With the default objective V = E log D(z) + E log(1 − D(E(x))); on each step first reconstruction, then D, then E. x
    ``(B, *shape)``, z ``(B, prior.dim)``; new rows are G(z).

    Source: Makhzani, Shlens, Jaitly, Goodfellow & Frey 2016, arXiv:1511.05644.

    Args:
        prior: distribution of z; only its samples are used.
        networks, critic_networks: architecture of E and G, and of D.
        objective, penalty: of the game between E and D.
        noise, stochastic: noise on what E sees; whether E draws.
        encoder_rule, decoder_rule, critic_rule, rule: how weights move in reconstruction and in the game.

    >>> import tacit
    >>> model = tacit.AAE(prior=tacit.priors.Petals(), networks=tacit.MLP(widths=(32,))).fit("digits", steps=5)
    >>> model.encode("digits").shape, model.sample(2).shape
    ((1797, 2), (2, 8, 8))
    """

    prior: Prior = field(default_factory=lambda: Gaussian(8))

    def latent(self) -> Prior:
        return self.prior

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.G(self.prior.join(self.prior.sample(size, rng)))

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.G(z)

    def reconstruct(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.G(self.infer(n, x))


@dataclass(frozen=True, kw_only=True)
class SupervisedAAE(LatentGame):
    """Adversarial autoencoder that is told the label: min_{E,G} E‖x − G(E(x), y)‖² and min_E max_D V, so that the code is the style.

    G reads z beside the one-hot of y, E reads x alone; z ~ N(0, I) ``(B, latent_dim)``; every row has a label. ``decode`` takes
    (z, one-hot) ``(B, latent_dim + n_classes)``.

    Source: Makhzani et al. 2016, arXiv:1511.05644, section 4.

    Args:
        n_classes: number of labels. latent_dim: width of the style.

    >>> import tacit
    >>> model = tacit.SupervisedAAE(networks=tacit.MLP(widths=(32,))).fit("digits", steps=5)
    >>> model.encode("digits").shape, model.sample(2).shape
    ((1797, 10), (2, 8, 8))
    """

    n_classes: int = 10
    latent_dim: int = 10
    labelled: ClassVar[tuple[str, ...]] = ("x",)

    def validate(self) -> None:
        super().validate()
        self.prior()

    def prior(self) -> OneHotGaussian:
        return OneHotGaussian(self.n_classes, self.latent_dim, 1.0)

    def latent(self) -> Prior:
        return Gaussian(self.latent_dim)

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return super().nets(spec) | {"G": self.networks.decoder(self.prior().dim, spec)}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return super().draw(n, batch, rng, memory).but(y=batch.y)

    def autoencoder(self, n: Nets, r: Round) -> Terms:
        told = self.prior().join(MixedLatent(self.infer(n, r.x, r), r.y))
        return {"reconstruction": (at_least_float32(n.G(told)) - r.x).square().mean()}

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.G(self.prior().join(self.prior().sample(size, rng)))

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.G(z)

"""An autoencoder whose decoder is autoregressive, so that the code need only say what neighbouring pixels do not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from tacit.augmentations.auto import AutoAugmentation
from tacit.core.game import Defaults, Player, Round, Terms
from tacit.core.nets import Nets
from tacit.core.parts import Augmentation, Penalty, Prior, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.layers import Evened
from tacit.networks.pixelcnn import WHERE, PixelStack
from tacit.penalties.gradient import GradientNorm
from tacit.priors.categorical import Categorical
from tacit.priors.gaussian import Gaussian
from tacit.rules.optimisers import Adam
from tacit.systems.autoencoders.aae import LatentGame, falling
from tacit.systems.autoencoders.aae_clusters import changed_mind
from tacit.systems.autoencoders.pixelcnn import check_pictures, check_stack


@dataclass(frozen=True, kw_only=True)
class PixelGame(LatentGame):
    """The game of codes of an adversarial autoencoder around a PixelCNN that is told the code.

    Args:
        levels, channels, layers, kernel, first_kernel: of the PixelCNN.
        conditioning: the code adds the same to every pixel (``invariant``) or something of its own to each (``dependent``).
    """

    abstract: ClassVar[bool] = True
    levels: int = 2
    channels: int = 32
    layers: int = 3
    kernel: int = 3
    first_kernel: int = 7
    conditioning: Literal["invariant", "dependent"] = "invariant"
    decoder_rule: Rule = field(default_factory=lambda: Adam(2e-3, (0.9, 0.999), schedule="cosine"))

    paper: ClassVar[str] = "Makhzani & Frey 2017, arXiv:1706.00531"
    defaults: ClassVar[Defaults] = Defaults(steps=5_000, batch_size=64)

    def validate(self) -> None:
        super().validate()
        check_stack(self)
        if self.conditioning not in WHERE:
            raise InputError(f"{type(self).__name__} got conditioning={self.conditioning!r}; expected {' or '.join(WHERE)}; choose one")

    def check(self, spec: Any, n_rows: int) -> None:
        check_pictures(self, spec)

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        dim = self.latent().dim
        P = PixelStack(
            spec.shape, self.levels, self.channels, self.layers, self.kernel, self.first_kernel, condition=dim, where=self.conditioning
        )
        return {"E": self.encoder(spec), "P": P, "D": self.judge_of(dim)}

    def players(self) -> tuple[Player, ...]:
        encoder, decoder, *game = super().players()
        return encoder, replace(decoder, owns=("P",)), *game

    def autoencoder(self, n: Nets, r: Round) -> Terms:
        return {"reconstruction": -n.P(r.x, self.infer(n, r.x, r)).mean()}

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return self.decode(n, self.latent().join(self.latent().sample(size, rng)), rng)

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.P.generate(rng.uniform(len(z), *n.P.shape), z)

    def reconstruct(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self.decode(n, self.infer(n, x), rng)


@dataclass(frozen=True, kw_only=True)
class PixelGAN(PixelGame):
    """PixelGAN autoencoder: min_{E,P} −E Σ_i log p(x_i | x_1 … x_{i−1}, E(x)), p a PixelCNN, and min_E max_D V of codes against a prior.

    With a Gaussian prior the code takes the global, low-frequency part of a picture. x ``(B, C, H, W)`` in [0, 1], read as ⌊levels·x⌋;
    z ``(B, prior.dim)``; reconstruction in nats a picture.

    Source: Makhzani & Frey 2017, arXiv:1706.00531.

    Args:
        prior: distribution of z.
        levels, channels, layers, kernel, first_kernel, conditioning: of the PixelCNN, and how it is told z.
        networks, critic_networks: architecture of E and of D.
        encoder_rule, decoder_rule, critic_rule, rule: how weights move in reconstruction and in the game.

    >>> import tacit
    >>> model = tacit.PixelGAN(channels=8, layers=2, networks=tacit.MLP(widths=(32,))).fit("digits", steps=5)
    >>> model.encode("digits").shape, model.sample(2).shape
    ((1797, 8), (2, 8, 8))
    """

    prior: Prior = field(default_factory=lambda: Gaussian(8))
    conditioning: Literal["invariant", "dependent"] = "dependent"

    def latent(self) -> Prior:
        return self.prior


@dataclass(frozen=True, kw_only=True)
class ClusterPixelGAN(PixelGame):
    """PixelGAN autoencoder that clusters: the code is softmax E(x) ``(B, n_clusters)``, and D tells it from e_k, k ~ U{1 … n_clusters}.

    min_{E,P} −E Σ_i log p(x_i | x_1 … x_{i−1}, softmax E(x)) and min_E max_D V: what a picture shows goes to the code, its style to the
    PixelCNN. x ``(B, C, H, W)`` in [0, 1], read as ⌊levels·x⌋.

    Source: Makhzani & Frey 2017, arXiv:1706.00531, section 3.2.

    Args:
        n_clusters: K.
        stability, augment: as ``ClusterAAE``; beyond the paper.
        even: batch normalisation of the logits, so that no category is ahead before it is earned.
        levels, channels, layers, kernel, first_kernel, conditioning: of the PixelCNN, and how it is told the code.
        networks, critic_networks: architecture of E and of D.

    >>> import tacit
    >>> model = tacit.ClusterPixelGAN(channels=8, layers=2, networks=tacit.MLP(widths=(32,))).fit("digits", steps=5)
    >>> model.cluster("digits").shape
    (1797,)
    """

    penalty: Penalty = field(default_factory=lambda: GradientNorm(0.1, every=4))
    encoder_rule: Rule = field(default_factory=lambda: falling(1e-4))
    rule: Rule = field(default_factory=lambda: falling(1e-3))
    n_clusters: int = 10
    stability: float = 1.0
    augment: Augmentation = field(default_factory=AutoAugmentation)
    even: bool = True

    def validate(self) -> None:
        self.prior()
        super().validate()
        if self.stability < 0:
            raise InputError(f"ClusterPixelGAN got stability={self.stability}; expected 0 or more; 0 is the paper's game")

    def check(self, spec: Any, n_rows: int) -> None:
        super().check(spec, n_rows)
        if self.n_clusters > n_rows:
            raise InputError(
                f"ClusterPixelGAN got n_clusters={self.n_clusters} for {n_rows} rows; expected no more clusters than rows; lower n_clusters"
            )
        if self.stability:
            self.augment.check(spec)

    def prior(self) -> Categorical:
        return Categorical(self.n_clusters)

    def latent(self) -> Prior:
        return self.prior()

    def encoder(self, spec: Any) -> nn.Module:
        E = super().encoder(spec)
        return Evened(E, 0, self.n_clusters) if self.even else E

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        r = super().draw(n, batch, rng, memory)
        return r.but(t=self.augment.draw(r.x, rng)) if self.stability else r

    def generator(self, n: Nets, r: Round) -> Terms:
        logits = self.code(n, r.x, r)
        terms = {"adversarial": self.objective.generator(n.D(self.latent().embed(logits)), memory=r.memory)}
        if self.stability:
            terms["stability"] = self.stability * changed_mind(logits, self.code(n, self.augment(r.x, r.t), r))
        return terms

    def chances(self, n: Nets, x: Tensor) -> Tensor:
        """The code of each row, ``(B, K)``."""
        return self.infer(n, x)

    def cluster(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self.chances(n, x).argmax(1)

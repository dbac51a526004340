"""Adversarial autoencoders whose code is a category and a style, without labels or with few."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tacit.augmentations.auto import AutoAugmentation
from tacit.core.game import Phase, Player, Round, Terms, Turn
from tacit.core.nets import Nets
from tacit.core.parts import Augmentation, Penalty, Prior, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.layers import Evened
from tacit.penalties.gradient import GradientNorm
from tacit.priors.one_hot_gaussian import OneHotGaussian
from tacit.systems.autoencoders.aae import LatentGame, falling
from tacit.systems.games.adversarial import stateless
from tacit.uses.shares import at_least_float32


def changed_mind(logits: Tensor, changed: Tensor) -> Tensor:
    """−E Σ_k p_k·log q_k, nats, of the categories of rows, held fixed, and of the same rows changed; ``(B, K)`` logits of both."""
    return -(at_least_float32(logits).softmax(1).detach() * at_least_float32(changed).log_softmax(1)).sum(1).mean()


@dataclass(frozen=True, kw_only=True)
class SplitGame(LatentGame):
    """A code in two pieces, y on the simplex against one-hots and z against a Gaussian, with a discriminator C and D for each.

    Args:
        latent_dim: width of z. sigma: of its prior.
        encoder_rule: slower than ``rule``, or reconstruction makes y one more number of the style before the game is heard.
        stability: β_s, the weight of −E Σ_k p_k(x)·log p_k(T(x)) in E's move, p = softmax of y's logits, p(x) held fixed: a row and its
            change are of one cluster (Hu et al. 2017, arXiv:1702.08720). Beyond the paper; 0 for the paper's game.
        augment: T.
        even: batch normalisation of y's logits, so that no category is ahead before it is earned.
        summed: G reads the ``latent_dim`` numbers W·y + z, the reduction of section 6, in place of (z, y).
        apart: η: heads W_i, W_j nearer than this cost their distance to it.
    """

    abstract: ClassVar[bool] = True
    penalty: Penalty = field(default_factory=lambda: GradientNorm(0.1, every=4))
    encoder_rule: Rule = field(default_factory=lambda: falling(1e-4))
    decoder_rule: Rule = field(default_factory=lambda: falling(1e-3))
    rule: Rule = field(default_factory=lambda: falling(1e-3))
    latent_dim: int = 5
    sigma: float = 1.0
    stability: float = 0.0
    augment: Augmentation = field(default_factory=AutoAugmentation)
    even: bool = True
    summed: bool = False
    apart: float = 1.0

    def validate(self) -> None:
        super().validate()
        stateless(self)
        self.prior()
        if self.stability < 0 or self.apart < 0:
            raise InputError(
                f"{type(self).__name__} got stability={self.stability}, apart={self.apart}; expected 0 or more; raise the one that is not"
            )

    def check(self, spec: Any, n_rows: int) -> None:
        if self.prior().n_clusters > n_rows:
            raise InputError(
                f"{type(self).__name__} got {self.prior().n_clusters} categories for {n_rows} rows; expected no more; ask for fewer"
            )
        if self.stability:
            self.augment.check(spec)

    @property
    def pieces(self) -> tuple[tuple[str, str, slice], ...]:
        """Name, discriminator and place in the code of the two pieces."""
        return ("categorical", "C", slice(self.latent_dim, None)), ("continuous", "D", slice(self.latent_dim))

    def prior(self) -> OneHotGaussian:
        raise NotImplementedError

    def latent(self) -> Prior:
        return self.prior()

    def encoder(self, spec: Any) -> nn.Module:
        E = super().encoder(spec)
        return Evened(E, self.latent_dim, self.prior().dim) if self.even else E

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        d, k = self.latent_dim, self.prior().n_clusters
        heads = {"W": nn.Linear(k, d, bias=False)} if self.summed else {}
        G = self.networks.decoder(d if self.summed else d + k, spec)
        return {"E": self.encoder(spec), "G": G, "C": self.judge_of(k), "D": self.judge_of(d), **heads}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        r = super().draw(n, batch, rng, memory)
        return r.but(t=self.augment.draw(r.x, rng)) if self.stability else r

    def players(self) -> tuple[Player, ...]:
        encoder, decoder, critic, generator = super().players()
        logs = tuple(f"{piece} {k}" for piece, *_ in self.pieces for k in self.objective.watched)
        judge = Player("critic", owns=("C", "D"), loss=self.critic, project=critic.project, logs=logs)
        return encoder, replace(decoder, owns=("G", "W") if self.summed else ("G",)), judge, generator

    def represent(self, n: Nets, code: Tensor) -> Tensor:
        """What G reads, of (z, y): both, or z + W·y."""
        return code[:, : self.latent_dim] + n.W(code[:, self.latent_dim :]) if self.summed else code

    def autoencoder(self, n: Nets, r: Round) -> Terms:
        out = n.G(self.represent(n, self.infer(n, r.x, r)))
        terms = {"reconstruction": (at_least_float32(out) - r.x).square().mean()}
        return terms | ({"heads": (self.apart - between(n.W.weight.T)).relu().mean()} if self.summed else {})

    def critic(self, n: Nets, r: Round) -> Terms:
        with n.given():
            fake = self.infer(n, r.x, r)
        real, terms = self.prior().join(r.z), Terms()
        for piece, D, at in self.pieces:
            terms |= {f"{piece} {k}": v for k, v in self.contest(getattr(n, D), real[:, at], fake[:, at], r).items()}
        return terms

    def generator(self, n: Nets, r: Round) -> Terms:
        code = self.code(n, r.x, r)
        fake = self.prior().embed(code)
        terms = {piece: self.objective.generator(getattr(n, D)(fake[:, at]), memory=r.memory) for piece, D, at in self.pieces}
        if self.stability:
            terms["stability"] = self.stability * changed_mind(code.logits, self.code(n, self.augment(r.x, r.t), r).logits)
        return terms

    def chances(self, n: Nets, x: Tensor) -> Tensor:
        """y of each row, ``(B, K)``."""
        return self.code(n, x).logits.softmax(1)

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.G(self.represent(n, self.prior().join(self.prior().sample(size, rng))))

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self.represent(n, self.infer(n, x))

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.G(z)

    def reconstruct(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.G(self.represent(n, self.infer(n, x)))


@dataclass(frozen=True, kw_only=True)
class ClusterAAE(SplitGame):
    """Adversarial autoencoder that clusters: min_{E,G} E‖x − G(z, y)‖², (z, y) = E(x), min_E max_C V(y) and min_E max_D V(z).

    C tells softmax codes y from one-hots e_k, k ~ U{1 … n_clusters}, D tells z from N(0, σ²I): which cluster, and where in it. x
    ``(B, *shape)``, y ``(B, n_clusters)``, z ``(B, latent_dim)``. With ``summed`` the code is W·y + z, for looking at.

    Source: Makhzani et al. 2016, arXiv:1511.05644, sections 5 and 6; the term β_s beyond it.

    Args:
        n_clusters: K. latent_dim, sigma: width of z, standard deviation of its prior.
        stability, augment: β_s, beyond the paper, and the small change T of a row.
        summed, apart: the code of section 6 and how far its heads stay apart.

    >>> import tacit
    >>> model = tacit.ClusterAAE(networks=tacit.MLP(widths=(32,))).fit("digits", steps=5)
    >>> model.cluster("digits").shape, model.encode("digits").shape
    ((1797,), (1797, 15))
    """

    n_clusters: int = 10

    def prior(self) -> OneHotGaussian:
        return OneHotGaussian(self.n_clusters, self.latent_dim, self.sigma)

    def cluster(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self.chances(n, x).argmax(1)


@dataclass(frozen=True, kw_only=True)
class SemiSupervisedAAE(SplitGame):
    """Adversarial autoencoder with few labels: the game of :class:`ClusterAAE`, and min_E E H(y, softmax E_y(x)) on labelled rows.

    On each step reconstruction, C and D, E, then classification on a batch of its own. Streams: x, rows without labels;
    labelled, rows with them. x ``(B, *shape)``, y ``(B,)`` from 0 to ``n_classes`` − 1.

    Source: Makhzani et al. 2016, arXiv:1511.05644, section 5.

    Args:
        n_classes: K. latent_dim, sigma, stability, augment, summed, apart: as ``ClusterAAE``.
        classifier_rule: how E moves on labelled rows.

    >>> import tacit
    >>> x, y = tacit.data.load("digits").read(0, 100), tacit.data.load("digits").labels[:100]
    >>> model = tacit.SemiSupervisedAAE(networks=tacit.MLP(widths=(32,))).fit({"x": "digits", "labelled": (x, y)}, steps=5)
    >>> model.predict(x).shape
    (100,)
    """

    n_classes: int = 10
    classifier_rule: Rule = field(default_factory=falling)
    labelled: ClassVar[tuple[str, ...]] = ("labelled",)

    def streams(self) -> tuple[str, ...]:
        return "x", "labelled"

    def prior(self) -> OneHotGaussian:
        return OneHotGaussian(self.n_classes, self.latent_dim, self.sigma)

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        noise = rng.normal(*batch.labelled.x.shape) if self.noise else batch.labelled.x.new_zeros(())
        return super().draw(n, batch.x, rng, memory).but(known=batch.labelled.x, y=batch.labelled.y, known_noise=noise)

    def players(self) -> tuple[Player, ...]:
        return (*super().players(), Player("classifier", owns=("E",), loss=self.classifier))

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(*super().phases()[0].turns, Turn("classifier", self.classifier_rule)),)

    def classifier(self, n: Nets, r: Round) -> Terms:
        code = self.code(n, r.known, r.but(noise=r.known_noise))
        return {"labels": cross_entropy(at_least_float32(code.logits), r.y)}

    def predict(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self.chances(n, x).argmax(1)


def between(rows: Tensor) -> Tensor:
    """Distances of every two of K rows, ``(K(K − 1)/2,)``; unlike ``pdist``, twice differentiable."""
    i, j = torch.triu_indices(len(rows), len(rows), 1, device=rows.device)
    return (rows[i] - rows[j]).norm(dim=1)

"""ClusterGAN."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tacit.augmentations.auto import AutoAugmentation
from tacit.core.game import Defaults, Phase, Player, Round, Terms, World
from tacit.core.nets import Nets
from tacit.core.parts import Augmentation, Networks, Penalty, Prior, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.mlp import MLP
from tacit.penalties.gradient import GradientNorm
from tacit.priors.one_hot_gaussian import OneHotGaussian
from tacit.rules.optimisers import Adam
from tacit.systems.games.adversarial import Adversarial
from tacit.uses.graph import centroids_by_kmeans
from tacit.uses.shares import at_least_float32, entropy

REAL = ("balance", "certainty", "stability")


@dataclass(frozen=True, kw_only=True)
class ClusterGAN(Adversarial):
    """Generative adversarial clustering: a generator with a cluster code in its latent, and an encoder that reads the code back.

    min_{G,E} max_D V(D, G) + β_n E‖z_n − E_n(T(G(z)))‖²/d + β_c E H(z_c, E_c(T(G(z)))) + β_b B(x) + β_h H(x) + β_s S(x).

    z = (z_n, z_c), z_n ~ N(0, σ²I) of d = ``latent_dim``, z_c = e_k, k ~ U{1 … n_clusters}; x ``(B, *shape)``; E gives z_n
    ``(B, latent_dim)`` and the logits of z_c ``(B, n_clusters)``. The paper's game is β_b = β_h = β_s = 0 without augmentation.

    Beyond the paper: T is a small random change of the row (:class:`tacit.augmentations.Affine`), seen by E and, of real and
    generated rows alike, by D, so that a cluster cannot be a slant or a place. On *real* rows, after a share ``real_after`` of
    the fit, with p = softmax E_c(x): B = −H(E p), even over all; H = E H(p), sure of each (Krause et al. 2010); S = E H(p, softmax
    E_c(T(x))) with p held fixed: a row and its change are of one cluster (Hu et al. 2017, arXiv:1702.08720).

    Of another prior the code loss is what can be read back from it: z ~ N(0, σ²I), U[−a, a]^d or a mixture has no z_c, so that
    neither H(z_c, E_c) nor the terms on real rows exist, and the clusters are those of k-means on the encoded rows, whose
    centroids the model keeps.

    Source: Mukherjee, Asnani, Lin & Kannan 2019, arXiv:1809.03627.

    Args:
        n_clusters: K, the size of the one-hot latent, or of k-means.
        latent_dim: width of z_n.
        sigma: standard deviation of z_n.
        prior: distribution of z; None takes the one-hot beside the Gaussian, of the three sizes above.
        networks: architecture of G, D and E.
        objective, penalty: of the adversarial game.
        beta_n, beta_c: weights of the recovery of z_n and of z_c.
        beta_b, beta_h, beta_s: weights of balance, certainty and stability on real rows; 0 for the paper's game.
        real_after: share of the fit after which those three begin.
        augment, critic_augment: T for the encoder and for the critic.
        rule, critic_rule: how G and E together, and D, move.
        critic_steps: updates of D for each update of G and E.

    >>> import tacit
    >>> model = tacit.ClusterGAN(networks=tacit.networks.MLP(widths=(32,))).fit("digits", steps=10)
    >>> model.cluster("digits").shape, model.encode("digits").shape, model.sample(2).shape
    ((1797,), (1797, 40), (2, 8, 8))
    """

    n_clusters: int = 10
    latent_dim: int = 30
    sigma: float = 0.1
    prior: Prior | None = None
    networks: Networks = field(default_factory=lambda: MLP(widths=(512, 512), norm="batch", init_std=0.02))
    penalty: Penalty = field(default_factory=lambda: GradientNorm(0.1, every=8))
    beta_n: float = 1.0
    beta_c: float = 0.1
    beta_b: float = 1.0
    beta_h: float = 0.3
    beta_s: float = 0.3
    real_after: float = 0.2
    augment: Augmentation = field(default_factory=AutoAugmentation)
    critic_augment: Augmentation = field(default_factory=AutoAugmentation)
    rule: Rule = field(default_factory=lambda: Adam(1e-3, (0.5, 0.9), schedule="late-linear"))
    critic_rule: Rule = field(default_factory=lambda: Adam(1e-3, (0.5, 0.9), schedule="late-linear"))

    family: ClassVar[str] = "clusters"
    paper: ClassVar[str] = "Mukherjee et al. 2019, arXiv:1809.03627"
    defaults: ClassVar[Defaults] = Defaults(steps=8_000, batch_size=64, ema=0.999, ema_networks=("G", "E"))

    def validate(self) -> None:
        super().validate()
        read = {k: getattr(self, k) for k in ("latent_dim", "sigma")}
        plain = {k: type(self).__dataclass_fields__[k].default for k in read}
        if self.prior is not None and read != plain:
            raise InputError(
                f"ClusterGAN got latent_dim={self.latent_dim}, sigma={self.sigma} beside the prior {self.prior!r}, which has a size of its "
                "own; expected one of the two; put them into the prior"
            )
        if self.latents.n_categories not in (0, self.n_clusters) or self.n_clusters < 2:
            raise InputError(
                f"ClusterGAN got n_clusters={self.n_clusters} with the prior {self.latents!r}; expected 2 or more, and as many as the "
                "prior has categories; give both the same number"
            )
        betas = (self.beta_n, self.beta_c, self.beta_b, self.beta_h, self.beta_s)
        if min(betas) < 0 or not 0 <= self.real_after <= 1:
            raise InputError(
                f"ClusterGAN got weights beta_n, beta_c, beta_b, beta_h, beta_s = {betas} and real_after={self.real_after}; "
                "expected weights of 0 or more and a share in [0, 1]; mend the one that is not"
            )

    def check(self, spec: Any, n_rows: int) -> None:
        if self.n_clusters > n_rows:
            raise InputError(
                f"ClusterGAN got n_clusters={self.n_clusters} for {n_rows} rows; expected no more clusters than rows; lower n_clusters"
            )
        self.augment.check(spec)
        self.critic_augment.check(spec)

    @property
    def couples_batch(self) -> bool:
        return True

    @property
    def latents(self) -> Prior:
        return self.prior or OneHotGaussian(self.n_clusters, self.latent_dim, self.sigma)

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {
            "G": self.networks.generator(self.latents, spec),
            "D": self.penalty.wrap(self.networks.critic(spec)),
            "E": self.networks.encoder(spec, self.latents.code_dim),
        }

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        x, T, U = batch.x, self.augment, self.critic_augment
        return Round(
            x=x, z=self.latents.sample(len(x), rng), eps=rng.uniform(len(x)),
            t_fake=T.draw(x, rng), t_real=T.draw(x, rng), u_fake=U.draw(x, rng), u_real=U.draw(x, rng),
        )  # fmt: skip

    def players(self) -> tuple[Player, ...]:
        return (
            self.judge(self.critic),
            Player("generator", owns=("G", "E"), loss=self.generator),
        )

    def critic(self, n: Nets, r: Round) -> Terms:
        with n.given():
            real, fake = self.critic_augment(r.x, r.u_real), self.critic_augment(n.G(r.z), r.u_fake)
        return self.contest(n.D, real, fake, r)

    def phases(self) -> tuple[Phase, ...]:
        return super().phases() + (() if self.latents.n_categories else (Phase(name="centroids", enter=self.centroids),))

    def centroids(self, n: Nets, world: World) -> Terms:
        codes = world.map(lambda x: self.encode(n, x, world.rng))
        return {"centroids": centroids_by_kmeans(codes, self.n_clusters, world.seed)[0]}

    def generator(self, n: Nets, r: Round) -> Terms:
        fake, prior = n.G(r.z), self.latents
        seen, size = self.augment(fake, r.t_fake), len(fake)
        real = bool(prior.n_categories and (self.beta_b or self.beta_h or self.beta_s))
        late = real and r.progress >= self.real_after
        out = n.E(torch.cat([seen, r.x, self.augment(r.x, r.t_real)]) if late else seen)
        weight = {"continuous": self.beta_n, "categorical": self.beta_c}
        terms = {"adversarial": self.objective.generator(n.D(self.critic_augment(fake, r.u_fake)), memory=r.memory)}
        terms |= {k: weight[k] * v for k, v in prior.recovery(prior.split(out[:size]), r.z).items()}
        if not real:
            return terms
        return terms | (self.real(*prior.split(out[size:]).logits.chunk(2)) if late else dict.fromkeys(REAL, fake.new_zeros(())))

    def real(self, logits: Tensor, changed: Tensor) -> Terms:
        weights = (self.beta_b, self.beta_h, self.beta_s)
        return {k: w * v for w, (k, v) in zip(weights, on_real(logits, changed).items(), strict=True)}

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.G(self.latents.sample(size, rng))

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.G(z)

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self.latents.embed(self.latents.split(n.E(x)))

    def reconstruct(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.G(self.encode(n, x, rng))

    def cluster(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        if self.latents.n_categories:
            return self.latents.split(n.E(x)).logits.argmax(1)
        return torch.cdist(self.encode(n, x, rng), n.memory["centroids"]).argmin(1)


def on_real(logits: Tensor, changed: Tensor) -> Terms:
    """What E_c must be on real rows: even over all, sure of each, the same for a row and its change; logits ``(B, K)``."""
    log_p, log_q = (t.log_softmax(1) for t in (at_least_float32(logits), at_least_float32(changed)))
    p = log_p.exp()
    return {
        "balance": -entropy(p.mean(0)),
        "certainty": entropy(p).mean(),
        "stability": -(p.detach() * log_q).sum(1).mean(),
    }

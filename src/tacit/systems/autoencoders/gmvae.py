"""A variational autoencoder whose code is of a mixture of Gaussians."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from tacit.core.game import Defaults, Phase, Player, Round, System, Terms, Turn
from tacit.core.nets import Nets
from tacit.core.parts import Networks, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.mlp import MLP
from tacit.rules.optimisers import Adam
from tacit.systems.autoencoders.vae import Likelihood, kl_to_standard, posterior
from tacit.systems.clusters.codes import CodeSpec

LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True, kw_only=True)
class GMVAE(System):
    """Gaussian-mixture VAE: z ~ U{1 … K}, w ~ N(0, I), h ~ N(μ_z(w), σ²_z(w)), x ~ p(x|h), learnt without labels.

    max L = E_q log p(x|h) − E_{q(w|x)p(z|h,w)} KL(q(h|x) ‖ p(h|w, z)) − KL(q(w|x) ‖ p(w)) − E_q max(λ, KL(p(z|h, w) ‖ p(z))).

    q(h|x) and q(w|x) are Gaussian, p(z|h, w) ∝ p(z)·p(h|w, z) is Bayes' rule; the four terms are reconstruction, conditional prior,
    w-prior and z-prior, nats a row, and λ keeps the last from merging clusters early (minimum information). Rows x ``(B, *shape)``
    (the paper's y), codes h ``(B, latent_dim)`` (its x), w ``(B, style_dim)``. ``score`` is the bound with z summed out,
    E_q[log p(x|h) + log Σ_z p(z)p(h|w, z) − log q(h|x)] − KL(q(w|x) ‖ p(w)).

    Source: Dilokthanakul et al. 2016, arXiv:1611.02648.

    Args:
        n_clusters: K.
        latent_dim, style_dim: widths of h and of w.
        min_information: λ as a share of log K, the most that the z-prior term can be; 0 for the plain bound.
        draws: M, samples of (h, w) a row.
        likelihood: ``bernoulli``, ``gaussian``, ``gaussian-learned`` or ``auto``, as ``VAE``. sigma: of the fixed Gaussian one.
        networks: architecture of q and p(x|h). prior_networks: of μ_z(w), σ²_z(w).
        rule: how the weights move.

    >>> import tacit
    >>> model = tacit.GMVAE(n_clusters=3, networks=tacit.MLP(widths=(32,))).fit("digits", steps=5)
    >>> model.cluster("digits").shape, model.sample(2).shape
    ((1797,), (2, 8, 8))
    """

    n_clusters: int = 10
    latent_dim: int = 10
    style_dim: int = 5
    min_information: float = 0.9
    draws: int = 1
    likelihood: Literal["auto", "bernoulli", "gaussian", "gaussian-learned"] = "auto"
    sigma: float = 0.1
    networks: Networks = field(default_factory=lambda: MLP(widths=(500, 500), critic_act="relu"))
    prior_networks: Networks = field(default_factory=lambda: MLP(widths=(256,), act="tanh"))
    rule: Rule = field(default_factory=lambda: Adam(1e-3, (0.9, 0.999), schedule="cosine"))

    score_draws: ClassVar[int] = 16
    family: ClassVar[str] = "autoencoders"
    paper: ClassVar[str] = "Dilokthanakul et al. 2016, arXiv:1611.02648"
    defaults: ClassVar[Defaults] = Defaults(steps=10_000, batch_size=128)

    def validate(self) -> None:
        if self.likelihood not in ("auto", "bernoulli", "gaussian", "gaussian-learned"):
            raise InputError(
                f"GMVAE got likelihood={self.likelihood!r}; expected auto, bernoulli, gaussian or gaussian-learned; choose one"
            )
        if min(self.latent_dim, self.style_dim, self.draws) < 1 or self.sigma <= 0:
            raise InputError(
                f"GMVAE got latent_dim={self.latent_dim}, style_dim={self.style_dim}, draws={self.draws}, sigma={self.sigma}; expected "
                "1 or more of each and sigma > 0; raise the one that is not"
            )
        if self.n_clusters < 2 or not 0 <= self.min_information < 1:
            raise InputError(
                f"GMVAE got n_clusters={self.n_clusters}, min_information={self.min_information}; expected 2 clusters or more and a "
                "share of log(n_clusters) in [0, 1); mend them"
            )

    def check(self, spec: Any, n_rows: int) -> None:
        if self.n_clusters > n_rows:
            raise InputError(
                f"GMVAE got n_clusters={self.n_clusters} for {n_rows} rows; expected no more clusters than rows; lower n_clusters"
            )
        if self.likelihood == "bernoulli" and not spec.bounded:
            raise InputError(
                "the Bernoulli likelihood got data that is not in [0, 1]; expected bounded data; use likelihood='gaussian-learned'"
            )

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        kind = self.likelihood if self.likelihood != "auto" else "bernoulli" if spec.bounded else "gaussian-learned"
        d, s = self.latent_dim, self.style_dim
        return {
            "E": self.networks.encoder(spec, 2 * (d + s)),
            "P": self.prior_networks.decoder(s, CodeSpec((2 * self.n_clusters * d,))),
            "D": Likelihood(self.networks.decoder(d, spec), kind, self.sigma),
        }

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return Round(x=batch.x, eps=rng.normal(len(batch), self.draws, self.latent_dim + self.style_dim))

    def players(self) -> tuple[Player, ...]:
        return (Player("gmvae", owns=("E", "P", "D"), loss=self.loss),)

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(Turn("gmvae", self.rule)),)

    def inferred(self, n: Nets, x: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Means and log variances of q(h|x) and of q(w|x)."""
        h, w = n.E(x).split([2 * self.latent_dim, 2 * self.style_dim], 1)
        return posterior(h), posterior(w)

    def components(self, n: Nets, w: Tensor) -> tuple[Tensor, Tensor]:
        """μ_k(w) and log σ²_k(w), ``(B, K, latent_dim)``."""
        mu, log_var = posterior(n.P(w))
        shape = (-1, self.n_clusters, self.latent_dim)
        return mu.reshape(shape), log_var.reshape(shape)

    def loss(self, n: Nets, r: Round) -> Terms:
        q_h, q_w = self.inferred(n, r.x)
        most = math.log(self.n_clusters)
        total = dict.fromkeys(("reconstruction", "conditional prior", "z prior"), r.x.new_zeros(()))
        for eps in r.eps.unbind(1):
            h, w = drawn(q_h, eps[:, : self.latent_dim]), drawn(q_w, eps[:, self.latent_dim :])
            mu, log_var = self.components(n, w)
            log_p = log_normal(h, mu, log_var).log_softmax(1)
            p = log_p.exp()
            z_prior = ((p * log_p).sum(1) + most).clamp_min(self.min_information * most)
            terms = -n.D(h, r.x), (p * kl_between(q_h, (mu, log_var))).sum(1), z_prior
            total = {k: v + term.mean() / self.draws for (k, v), term in zip(total.items(), terms, strict=True)}
        return total | {"w prior": kl_to_standard(*q_w).mean()}

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        mu, log_var = self.components(n, rng.normal(size, self.style_dim))
        at = torch.arange(size, device=mu.device), rng.integers(self.n_clusters, size)
        return n.D(drawn((mu[at], log_var[at]), rng.normal(size, self.latent_dim)))

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self.inferred(n, x)[0][0]

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.D(z)

    def reconstruct(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.D(self.encode(n, x, rng))

    def chances(self, n: Nets, x: Tensor) -> Tensor:
        """p(z|h, w) at the means of q, ``(B, K)``."""
        (h, _), (w, _) = self.inferred(n, x)
        return log_normal(h, *self.components(n, w)).softmax(1)

    def cluster(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self.chances(n, x).argmax(1)

    def score(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        q_h, q_w = self.inferred(n, x)
        bound = -kl_to_standard(*q_w)
        # The same draws for every row, so that a row's score does not depend on its neighbours.
        for eps in rng.normal(self.score_draws, self.latent_dim + self.style_dim):
            h, w = drawn(q_h, eps[: self.latent_dim]), drawn(q_w, eps[self.latent_dim :])
            prior = log_normal(h, *self.components(n, w)).logsumexp(1) - math.log(self.n_clusters)
            own = log_normal(h, q_h[0].unsqueeze(1), q_h[1].unsqueeze(1)).squeeze(1)
            bound = bound + (n.D(h, x) + prior - own) / self.score_draws
        return bound


def drawn(q: tuple[Tensor, Tensor], eps: Tensor) -> Tensor:
    """μ + σ·ε."""
    return q[0] + (0.5 * q[1]).exp() * eps


def log_normal(h: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """log N(h; μ_k, σ²_k), nats, ``(B, K)``, of h ``(B, d)`` under ``(B, K, d)``."""
    return -0.5 * ((h.unsqueeze(1) - mu).square() * (-log_var).exp() + log_var + LOG_2PI).sum(2)


def kl_between(q: tuple[Tensor, Tensor], p: tuple[Tensor, Tensor]) -> Tensor:
    """KL(N(q) ‖ N(p_k)), nats, ``(B, K)``, of q ``(B, d)`` and p ``(B, K, d)``, each mean and log variance."""
    (m, s), (mu, log_var) = ((t.unsqueeze(1) for t in q), p)
    return 0.5 * (log_var - s + ((m - mu).square() + s.exp()) * (-log_var).exp() - 1).sum(2)

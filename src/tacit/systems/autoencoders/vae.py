"""The variational autoencoder."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from tacit.core.game import Defaults, Phase, Player, Round, System, Terms, Turn
from tacit.core.nets import Nets
from tacit.core.parts import Networks, Prior, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.mlp import MLP
from tacit.priors.gaussian import Gaussian
from tacit.rules.optimisers import Adam


def kl_to_standard(mu: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, I)) = ½Σ(μ² + σ² − 1 − log σ²), nats, ``(B,)``."""
    return 0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum(1)


@dataclass(frozen=True, kw_only=True)
class VAE(System):
    """Variational autoencoder: a code with a prior, a bound on the likelihood, new samples.

    max ELBO = E_q(z|x) log p(x|z) − β·KL(q(z|x) ‖ N(0, I)), by reparameterisation z = μ(x) + σ(x)·ε.

    x ``(B, *shape)``, z ``(B, latent_dim)``; terms in nats per row. Source: Kingma & Welling 2014, arXiv:1312.6114;
    Rezende et al. 2014, arXiv:1401.4082.

    Args:
        latent_dim: width of z.
        likelihood: ``bernoulli`` (data in [0, 1]), ``gaussian`` (standard deviation ``sigma``), ``gaussian-learned`` (one
            standard deviation for all elements, learned), or ``auto``: bernoulli for bounded data, else gaussian-learned.
        sigma: standard deviation of the fixed Gaussian likelihood.
        beta: weight of the KL term; 1 is the bound.
        networks, rule: architecture, and how the weights move.

    >>> import tacit
    >>> model = tacit.VAE(latent_dim=2).fit("digits", steps=20)
    >>> model.sample(3).shape, model.encode("digits").shape
    ((3, 8, 8), (1797, 2))
    """

    latent_dim: int = 16
    likelihood: Literal["auto", "bernoulli", "gaussian", "gaussian-learned"] = "auto"
    sigma: float = 0.1
    beta: float = 1.0
    networks: Networks = field(default_factory=lambda: MLP(widths=(512, 512), critic_act="relu"))
    rule: Rule = field(default_factory=lambda: Adam(1e-3, (0.9, 0.999)))

    score_draws: ClassVar[int] = 16
    family: ClassVar[str] = "autoencoders"
    paper: ClassVar[str] = "Kingma & Welling 2014, arXiv:1312.6114"
    defaults: ClassVar[Defaults] = Defaults(steps=10_000, batch_size=128)

    def validate(self) -> None:
        if self.likelihood not in ("auto", "bernoulli", "gaussian", "gaussian-learned"):
            raise InputError(
                f"VAE got likelihood={self.likelihood!r}; expected auto, bernoulli, gaussian or gaussian-learned; choose one"
            )
        if self.latent_dim < 1 or self.sigma <= 0 or self.beta < 0:
            raise InputError(
                f"VAE got latent_dim={self.latent_dim}, sigma={self.sigma}, beta={self.beta}; "
                "expected latent_dim >= 1, sigma > 0, beta >= 0; mend them"
            )

    def check(self, spec: Any, n_rows: int) -> None:
        if self.likelihood == "bernoulli" and not spec.bounded:
            raise InputError(
                "the Bernoulli likelihood got data that is not in [0, 1]; expected bounded data; use likelihood='gaussian-learned'"
            )

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        decoder = self.networks.decoder(self.latent_dim, spec)
        return {"E": self.networks.encoder(spec, 2 * self.latent_dim), "D": Likelihood(decoder, self._kind(spec), self.sigma)}

    def _kind(self, spec: Any) -> str:
        return self.likelihood if self.likelihood != "auto" else "bernoulli" if spec.bounded else "gaussian-learned"

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return Round(x=batch.x, eps=rng.normal(len(batch), self.latent_dim))

    @property
    def latents(self) -> Prior:
        return Gaussian(self.latent_dim)

    def players(self) -> tuple[Player, ...]:
        return (Player("vae", owns=("E", "D"), loss=self.loss),)

    def loss(self, n: Nets, r: Round) -> Terms:
        mu, log_var = posterior(n.E(r.x))
        z = mu + (0.5 * log_var).exp() * r.eps
        return {"likelihood": -n.D(z, r.x).mean(), "kl": self.beta * kl_to_standard(mu, log_var).mean()}

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(Turn("vae", self.rule)),)

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.D(rng.normal(size, self.latent_dim))

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return posterior(n.E(x))[0]

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.D(z)

    def reconstruct(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.D(self.encode(n, x, rng))

    def score(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        mu, log_var = posterior(n.E(x))
        # The same draws for every row, so that a row's score does not depend on its neighbours.
        draws = [n.D(mu + (0.5 * log_var).exp() * e, x) for e in rng.normal(self.score_draws, self.latent_dim)]
        return torch.stack(draws).mean(0) - kl_to_standard(mu, log_var)


def posterior(out: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log variance, ``(B, d)`` each, in float32 or better; log σ² is kept within ±20."""
    out = out if out.dtype == torch.float64 else out.float()
    mu, log_var = out.chunk(2, 1)
    return mu, log_var.clamp(-20, 20)


class Likelihood(nn.Module):
    """A decoder with a density: ``net(z)`` is the mean, ``net(z, x)`` is log p(x|z) in nats, ``(B,)``."""

    def __init__(self, decoder: nn.Module, kind: str, sigma: float):
        super().__init__()
        self.decoder, self.kind, self.sigma = decoder, kind, sigma
        if kind == "bernoulli":
            decoder[-1].bounded = False  # type: ignore[index]
        if kind == "gaussian-learned":
            self.log_sigma = nn.Parameter(torch.zeros(()))

    def forward(self, z: Tensor, x: Tensor | None = None) -> Tensor:
        out = self.decoder(z)
        if x is None:
            return torch.sigmoid(out) if self.kind == "bernoulli" else out
        out = out if out.dtype == torch.float64 else out.float()
        if self.kind == "bernoulli":
            return -binary_cross_entropy_with_logits(out, x, reduction="none").flatten(1).sum(1)
        log_sigma = self.log_sigma.clamp(min=-7) if self.kind == "gaussian-learned" else out.new_tensor(math.log(self.sigma))
        nll = 0.5 * ((x - out) / log_sigma.exp()).square() + log_sigma + 0.5 * math.log(2 * math.pi)
        return -nll.flatten(1).sum(1)

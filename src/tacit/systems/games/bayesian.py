"""A game between posteriors: many generators and discriminators, drawn rather than found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid

from tacit.core.game import Defaults, Phase, Player, Round, System, Terms, Turn
from tacit.core.nets import Nets
from tacit.core.parts import Networks, Prior, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.mlp import MLP
from tacit.priors.gaussian import Gaussian
from tacit.rules.sghmc import SGHMC


class Chains(nn.Module):
    """Heads of several chains over one architecture; a call gives every head's answer, ``(J, B, …)``."""

    def __init__(self, make: Callable[[], nn.Module], count: int):
        super().__init__()
        self.heads = nn.ModuleList(make() for _ in range(count))

    def forward(self, *inputs: Any) -> Tensor:
        return torch.stack([head(*inputs) for head in self.heads])

    def log_prior(self, sigma: float) -> Tensor:
        """log N(θ; 0, σ²I) of every head but for its constant, ``(J,)``."""
        squares = [torch.stack([w.square().sum() for w in h.parameters()]).sum() for h in self.heads]
        return -torch.stack(squares) / (2 * sigma**2)


@dataclass(frozen=True, kw_only=True)
class BayesianGAN(System):
    """Bayesian GAN: SGHMC over the weights of G and D, p(θ_g|θ_d) ∝ exp(Σ_z log D(G(z)))·N(θ_g; 0, σ²I) and
    p(θ_d|θ_g) ∝ exp(Σ_x log D(x) + Σ_z log(1 − D(G(z))))·N(θ_d; 0, σ²I).

    J·M chains of each player meet all chains of the other: every head descends U/N = −(1/N)·log Σ_k exp(N·ℓ_k) − log prior/N,
    with ℓ_k the mean log likelihood of the batch against the opponent's head k. Samples come from all generators alike.
    x ``(B, *shape)``, z ~ prior; one draw of noise a round.

    Source: Saatchi & Wilson 2017, arXiv:1705.09558.

    Args:
        n_generators, n_discriminators: J_g and J_d. n_samples: M, heads for each of them.
        sigma: σ of the weights' prior.
        n_data: N, the number of rows that the posterior counts; give the rules the temperature 1/N.

    >>> import tacit
    >>> model = tacit.BayesianGAN(prior=tacit.Gaussian(2), n_generators=2).fit("ring8", steps=5)
    >>> model.sample(3).shape
    (3, 2)
    """

    networks: Networks = field(default_factory=lambda: MLP(widths=(128, 128)))
    prior: Prior = field(default_factory=lambda: Gaussian(10))
    n_generators: int = 5
    n_discriminators: int = 1
    n_samples: int = 1
    sigma: float = 1.0
    n_data: int = 10_000
    rule: Rule = field(default_factory=SGHMC)
    critic_rule: Rule = field(default_factory=SGHMC)

    family: ClassVar[str] = "games"
    paper: ClassVar[str] = "Saatchi & Wilson 2017, arXiv:1705.09558"
    defaults: ClassVar[Defaults] = Defaults(steps=10_000, batch_size=128)
    outputs: ClassVar[int] = 1

    def validate(self) -> None:
        counts = {k: getattr(self, k) for k in ("n_generators", "n_discriminators", "n_samples", "n_data")}
        if min(counts.values()) < 1 or self.sigma <= 0:
            told = ", ".join(f"{k}={v}" for k, v in counts.items())
            raise InputError(
                f"{type(self).__name__} got {told}, sigma={self.sigma}; expected counts of 1 or more and sigma > 0; mend them"
            )

    @property
    def couples_batch(self) -> bool:
        return self.n_generators * self.n_samples > 1 or self.n_discriminators * self.n_samples > 1

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        G = Chains(lambda: self.networks.generator(self.prior, spec), self.n_generators * self.n_samples)
        return {"G": G, "D": Chains(lambda: self.networks.critic(spec, self.outputs), self.n_discriminators * self.n_samples)}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return Round(x=batch.x, z=self.prior.sample(len(batch), rng))

    def players(self) -> tuple[Player, ...]:
        return Player("critic", owns=("D",), loss=self.critic), Player("generator", owns=("G",), loss=self.generator)

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(Turn("critic", self.critic_rule), Turn("generator", self.rule)),)

    def odds(self, out: Tensor) -> Tensor:
        """The logit of being real, of D's outputs."""
        return out

    def marginal(self, likelihood: Tensor) -> Tensor:
        """−(1/N)·Σ_j log Σ_k exp(N·ℓ_jk), a scalar."""
        exact = likelihood if likelihood.dtype == torch.float64 else likelihood.float()
        return -(self.n_data * exact).logsumexp(1).sum() / self.n_data

    def judged(self, n: Nets, fakes: Tensor) -> Tensor:
        """Every discriminator's logits on every generator's rows, ``(J_d, J_g, B)``."""
        return self.odds(n.D(fakes.flatten(0, 1))).unflatten(1, fakes.shape[:2])

    def critic(self, n: Nets, r: Round) -> Terms:
        with n.given():
            fakes = n.G(r.z)
        ell = logsigmoid(-self.judged(n, fakes)).mean(-1) + logsigmoid(self.odds(n.D(r.x))).mean(-1, keepdim=True)
        return {"likelihood": self.marginal(ell), "prior": -n.D.log_prior(self.sigma).sum() / self.n_data}

    def generator(self, n: Nets, r: Round) -> Terms:
        ell = logsigmoid(self.judged(n, n.G(r.z))).mean(-1).T
        return {"likelihood": self.marginal(ell), "prior": -n.G.log_prior(self.sigma).sum() / self.n_data}

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        made = n.G(self.prior.sample(size, rng))
        which = (rng.uniform(size) * len(made)).long()
        return made[which, torch.arange(size, device=made.device)]


@dataclass(frozen=True, kw_only=True)
class SemiSupervisedBayesianGAN(BayesianGAN):
    """Bayesian GAN with labels: D tells K classes and the generated apart, p(real|x) = σ(log Σ_y e^{D_y(x)} − D_0(x)).

    Its likelihood counts the labelled rows, log p(y|x, real), beside the others; the prediction is the posterior mean
    p(y|x) = (1/J_d)·Σ_k p(y|x, θ_d^k). Streams: x, rows without labels; labelled, rows with them (y ≥ 0). x ``(B, *shape)``.

    Source: Saatchi & Wilson 2017, arXiv:1705.09558.

    Args:
        n_classes: K.

    >>> import tacit
    >>> x, y = tacit.data.load("digits").read(0, 100), tacit.data.load("digits").labels[:100]
    >>> model = tacit.systems.SemiSupervisedBayesianGAN(n_classes=10).fit({"x": "digits", "labelled": (x, y)}, steps=5)
    >>> model.predict(x).shape
    (100,)
    """

    n_classes: int = 10
    labelled: ClassVar[tuple[str, ...]] = ("labelled",)

    def validate(self) -> None:
        super().validate()
        if self.n_classes < 2:
            raise InputError(f"SemiSupervisedBayesianGAN got n_classes={self.n_classes}; expected 2 or more; give the number of classes")

    @property
    def outputs(self) -> int:  # type: ignore[override]
        return self.n_classes + 1

    def streams(self) -> tuple[str, ...]:
        return "x", "labelled"

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return super().draw(n, batch.x, rng, memory).but(known=batch.labelled.x, y=batch.labelled.y)

    def odds(self, out: Tensor) -> Tensor:
        return out[..., 1:].logsumexp(-1) - out[..., 0]

    def critic(self, n: Nets, r: Round) -> Terms:
        labelled = torch.stack([cross_entropy(out[:, 1:], r.y) for out in n.D(r.known)]).sum()
        return super().critic(n, r) | {"labelled": labelled}

    def predict(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.D(x)[..., 1:].softmax(-1).mean(0).argmax(-1)

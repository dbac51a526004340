"""A generator and the dual of its discriminator, which climb the same hill."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import softplus

from tacit.core.game import Defaults, Phase, Player, Round, System, Terms, Turn
from tacit.core.nets import Nets
from tacit.core.parts import Networks, Prior, Rule, float32
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.features import RandomFourier, Rows
from tacit.networks.layers import Scalar
from tacit.networks.mlp import MLP
from tacit.priors.gaussian import Gaussian
from tacit.rules.optimisers import Adam
from tacit.rules.solve import Solve
from tacit.uses.dual import logistic_dual

Discriminator = Literal["linear", "score", "cost"]
Features = Literal["fourier", "rows", "network"]
Move = tuple[Terms, Tensor]
"""The dual's objective, negated and by name, and the weights that its optimum gives D, flat."""


@dataclass(frozen=True, kw_only=True)
class DualingGAN(System):
    """max_θ min_w f, f(θ, w) = C/2·‖w‖² + E log(1 + e^(−D(x)))/2 + E log(1 + e^(D(G(z))))/2, with min_w replaced by its dual's max_λ.

    Generator and multipliers then climb together: no saddle is left. x ``(B, *shape)``, z ~ prior; the dual of each batch is solved to
    its optimum, and G climbs its value.

    *linear*: D = wᵀF(x), F fixed: g = −C/2·‖w‖² + Σ H(2nλ)/(2n), 0 ≤ λ ≤ 1/(2n), w = (Σ λ_x F(x) − Σ λ_z F(G(z)))/C, H the entropy.
    *score*: D is a network; its scores are linearised at w_k, and the step s, ½‖s‖² ≤ Δ_k, minimises the logistic program in ∇_w D.
    *cost*: f is linearised at w_k: g = f − ‖∇_w f‖²/(2λ_T) − λ_T·Δ_k, λ_T = ‖∇_w f‖/√(2Δ_k), s = −∇_w f/λ_T.

    Source: Li, Schwing, Wang & Zemel 2017, arXiv:1706.06216.

    Args:
        discriminator: ``linear``, ``score`` or ``cost``.
        networks: architecture of G, of D where it is not linear, and of fixed network features.
        features: of a linear D: ``fourier`` (random, :class:`tacit.networks.features.RandomFourier`), ``rows`` (the row and a constant), or
            ``network`` (an untrained encoder).
        n_features: how many random or network features.
        bandwidths: of the random features.
        ridge: C.
        radius: √(2Δ) at the start, the longest step of w; it falls to 0 linearly over the fit.
        critic_rule: ``Solve()``, or an optimiser, which plays the primal instead: w descends f, θ climbs it.

    >>> import tacit
    >>> model = tacit.DualingGAN(prior=tacit.Gaussian(2), n_features=64).fit("ring8", steps=10)
    >>> model.sample(3).shape
    (3, 2)
    """

    discriminator: Discriminator = "linear"
    networks: Networks = field(default_factory=lambda: MLP(widths=(128, 128)))
    prior: Prior = field(default_factory=lambda: Gaussian(64))
    features: Features = "fourier"
    n_features: int = 512
    bandwidths: tuple[float, ...] = (0.05, 0.1, 0.2, 0.5, 1.0)
    ridge: float = 1e-3
    radius: float = 0.1
    rule: Rule = field(default_factory=lambda: Adam(2e-4, (0.5, 0.999)))
    critic_rule: Rule = field(default_factory=Solve)

    family: ClassVar[str] = "games"
    paper: ClassVar[str] = "Li et al. 2017, arXiv:1706.06216"
    defaults: ClassVar[Defaults] = Defaults(steps=10_000, batch_size=128)

    def validate(self) -> None:
        for name, value, choices in (
            ("discriminator", self.discriminator, get_args(Discriminator)), ("features", self.features, get_args(Features)),
        ):  # fmt: skip
            if value not in choices:
                raise InputError(f"DualingGAN got {name}={value!r}; expected one of {', '.join(choices)}; choose one")
        if not (self.ridge > 0 and self.radius > 0 and self.n_features >= 1 and self.bandwidths and min(self.bandwidths) > 0):
            raise InputError(
                f"DualingGAN got ridge={self.ridge}, radius={self.radius}, n_features={self.n_features}, bandwidths={self.bandwidths}; "
                "expected positive numbers; raise the one that is not"
            )
        by_row = self.discriminator == "score" or (self.discriminator, self.features) == ("linear", "network")
        if by_row and getattr(self.networks, "critic_norm", "none") == "batch":
            raise InputError(
                f"DualingGAN with discriminator={self.discriminator!r} and batch normalisation in the critic of "
                f"{type(self.networks).__name__} has no meaning, since each row has a multiplier of its own and its features would "
                "depend on the others; expected critic_norm='none' or 'layer'; choose one"
            )

    @property
    def couples_batch(self) -> bool:
        return True

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        G = self.networks.generator(self.prior, spec)
        if self.discriminator != "linear":
            return {"G": G, "F": nn.Identity(), "D": self.networks.critic(spec)}
        F = {
            "fourier": lambda: RandomFourier(spec, self.n_features, self.bandwidths),
            "rows": lambda: Rows(spec),
            "network": lambda: self.networks.encoder(spec, self.n_features),
        }[self.features]().requires_grad_(False)
        width = spec.dim + 1 if self.features == "rows" else self.n_features
        return {"G": G, "F": F, "D": nn.Sequential(nn.Linear(width, 1, bias=False), Scalar())}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return Round(x=batch.x, z=self.prior.sample(len(batch), rng))

    def players(self) -> tuple[Player, ...]:
        solved = self.critic_rule.needs == "solve"
        return (
            Player("critic", owns=("D",), solve=self.solve, loss=None if solved else self.primal),
            Player("generator", owns=("G",), loss=self.dual if solved else self.climb),
        )

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(Turn("critic", self.critic_rule), Turn("generator", self.rule)),)

    def move(self, n: Nets, r: Round) -> Move:
        return MOVES[self.discriminator](n, r.x, n.G(r.z).to(r.x.dtype), self.ridge, self.radius * (1 - r.progress))

    def dual(self, n: Nets, r: Round) -> Terms:
        return self.move(n, r)[0]

    def solve(self, n: Nets, r: Round, mean: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        with torch.enable_grad():
            flat = mean(self.move(n, r)[1].detach())
        pieces = flat.split([p.numel() for p in n.D.parameters()])
        return {f"D.{name}": piece.view_as(p) for (name, p), piece in zip(n.D.named_parameters(), pieces, strict=True)}

    def primal(self, n: Nets, r: Round) -> Terms:
        with torch.no_grad():
            fake = n.G(r.z)
        return cost(n, r.x, fake, self.ridge)

    def climb(self, n: Nets, r: Round) -> Terms:
        return {"generated": -0.5 * softplus(n.D(n.F(n.G(r.z)))).mean()}

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.G(self.prior.sample(size, rng))

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.G(z)

    def score(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.D(n.F(x))


def cost(n: Nets, real: Tensor, fake: Tensor, ridge: float) -> Terms:
    """f(θ, w) by its terms: C/2·‖w‖², E log(1 + e^(−D(x)))/2, E log(1 + e^(D(G(z))))/2."""
    square = flatten(n.parameters(("D",))).square().sum()
    on_real, on_fake = n.D(n.F(real)), n.D(n.F(fake))
    return {"ridge": 0.5 * ridge * square, "real": 0.5 * softplus(-on_real).mean(), "generated": 0.5 * softplus(on_fake).mean()}


@float32
def linear(n: Nets, real: Tensor, fake: Tensor, ridge: float, length: float) -> Move:
    """The dual of the logistic program in w itself, in float64."""
    rows = torch.cat([n.F(real), -n.F(fake)]).double()
    best = logistic_dual(rows.detach(), c=ridge)
    total = best.weights @ rows
    return {"moments": total.square().sum() / (2 * ridge), "entropy": -best.entropy}, (total / ridge).to(real.dtype)


@float32
def linearised_score(n: Nets, real: Tensor, fake: Tensor, ridge: float, length: float) -> Move:
    """The dual of the logistic program in the step s, whose features are the gradients of D's scores at w_k."""
    weights = n.parameters(("D",))
    w = flatten(weights).detach()
    margins = torch.cat([n.D(real), -n.D(fake)])
    rows = torch.cat([tangents(n.D, real), -tangents(n.D, fake.detach())])
    best = logistic_dual(rows, margins.detach(), w, c=ridge, radius=0.5 * length**2)
    scores = best.weights @ margins
    q = ridge * w - flatten(torch.autograd.grad(scores, weights, create_graph=True))
    region = 0.5 * (best.stiffness - ridge) * length**2 - 0.5 * ridge * w.square().sum()
    terms = {"moments": q.square().sum() / (2 * best.stiffness), "scores": scores, "entropy": -best.entropy, "region": region}
    return terms, w - q / best.stiffness


@float32
def linearised_cost(n: Nets, real: Tensor, fake: Tensor, ridge: float, length: float) -> Move:
    """The dual of a linear program in the step s within its trust region, in closed form."""
    weights = n.parameters(("D",))
    value = torch.stack(list(cost(n, real, fake, ridge).values())).sum()
    slope = flatten(torch.autograd.grad(value, weights, create_graph=True))
    norm = (slope.square().sum() + 1e-20).sqrt()
    return {"cost": -value, "region": length * norm}, flatten(weights) - length * slope / norm


def tangents(D: nn.Module, x: Tensor) -> Tensor:
    """The gradient of each row's score with respect to D's weights, ``(B, P)``."""
    weights = {k: p.detach() for k, p in D.named_parameters()}

    def one(w: dict[str, Tensor], row: Tensor) -> Tensor:
        return functional_call(D, w, (row[None],)).squeeze(0)

    return torch.cat([g.flatten(1) for g in vmap(grad(one), (None, 0))(weights, x).values()], 1)


def flatten(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([t.flatten() for t in tensors])


MOVES: dict[str, Callable[[Nets, Tensor, Tensor, float, float], Move]] = {
    "linear": linear, "score": linearised_score, "cost": linearised_cost,
}  # fmt: skip
"""The three duals: ``(networks, F(x), F(G(z)), C, √(2Δ))`` to the generator's loss and D's next weights."""

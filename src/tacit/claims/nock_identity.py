"""The identity between what an f-GAN's critic maximises and the parameters of a deformed exponential family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

from tacit.claims import Claim, Context, Result

Array = np.ndarray
MEMBERS = (
    "exp", "leaky-relu:0.5", "elu", "elu:0.5:2", "softplus", "log2-softplus", "mu-relu:0", "mu-relu:0.5", "mu-relu:0.95", "lsu",
)  # fmt: skip
"""Not relu, the limit of mu-relu at μ = 1: its densities are linear, so that all sides are 0 as long as none is 0 anywhere."""


@dataclass(frozen=True)
class Signature:
    """χ with exp_χ and log_χ(y) = ∫_1^y dt/χ(t) (less a constant), for an activation moved up to values above 0."""

    chi: Callable[[Array], Array]
    exp: Callable[[Array], Array]
    log: Callable[[Array], Array]


def signature(name: str) -> Signature:
    """``exp`` is χ(t) = t, the exponential family; the others are the generator's activations."""
    import torch

    from tacit.networks.activations import activation

    if name == "exp":
        return Signature(lambda y: y, np.exp, np.log)
    net: Any = activation(name).double()
    up = -net.floor if np.isfinite(net.floor) else 1.0

    def on(fn: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Array], Array]:
        def call(v: Array) -> Array:
            with torch.no_grad():
                return fn(torch.as_tensor(v, dtype=torch.float64)).numpy()

        return call

    chi, exp, log = on(net.signature), on(net), on(net.inverse)
    return Signature(lambda y: chi(y - up), lambda z: np.maximum(exp(z) + up, 0.0), lambda y: log(y - up))


@dataclass(frozen=True)
class Family:
    """P(x) = exp_χ(φ(x)·θ − C(θ)) on [0, 1], φ = (x, cos 3x), by quadrature on 1,600 points."""

    chi: Signature

    def points(self) -> tuple[Array, Array, Array]:
        """x, φ(x) and weights: 200 panels of 8 Gauss–Legendre points."""
        at, weight = np.polynomial.legendre.leggauss(8)
        left = np.arange(200)[:, None] / 200
        x = (left + (at + 1) / 400).ravel()
        return x, np.stack([x, np.cos(3 * x)], 1), np.tile(weight / 400, 200)

    def cumulant(self, theta: Array) -> float:
        """C(θ): what makes the density sum to 1."""
        _, phi, w = self.points()
        start = float(self.chi.log(np.array([1.0]))[0])
        inner = phi @ theta

        def excess(c: float) -> float:
            return float(w @ self.chi.exp(inner - c)) - 1

        low, high = inner.min() - start, inner.max() - start
        return float(brentq(excess, low, high, xtol=1e-15, rtol=1e-15))

    def density(self, theta: Array) -> Array:
        _, phi, _ = self.points()
        return self.chi.exp(phi @ theta - self.cumulant(theta))

    def gradient(self, theta: Array, h: float = 1e-4) -> Array:
        """∇C by differences of the fourth order, knowing nothing of escorts."""
        steps = h * np.eye(len(theta))
        f = self.cumulant
        return np.array([(8 * (f(theta + e) - f(theta - e)) - (f(theta + 2 * e) - f(theta - 2 * e))) / (12 * h) for e in steps])


def most(fn: Callable[[Array], Array], low: Array, high: Array, rounds: int) -> Array:
    """The largest value between two bounds of a function with one peak, elementwise, by golden sections."""
    g = (5**0.5 - 1) / 2
    a, b = low.copy(), high.copy()
    for _ in range(rounds):
        c, d = b - g * (b - a), a + g * (b - a)
        left = fn(c) > fn(d)
        a, b = np.where(left, a, c), np.where(left, d, b)
    return np.max([fn(low), fn(high), fn(a), fn(b)], axis=0)


def sides(family: Family, theta: Array, vartheta: Array) -> dict[str, float]:
    """What the identity equates, each by its own means, for P at θ, Q at ϑ and Q's escort Q̃ = χ(Q)/∫χ(Q).

    - variational: sup_T E_P T − E_Q̃ (−log_χx)*(T), χ_x(t) = χ(t·Q̃(x))/Q̃(x), both suprema searched point by point;
    - divergence: E_Q̃[−log_χx(P/Q̃)];
    - geometric: D_C(θ ‖ ϑ) + J, D_C the Bregman divergence of the cumulant and J = E_Q̃[−log_χx(Q/Q̃)].
    """
    _, _, w = family.points()
    p, q = family.density(theta), family.density(vartheta)
    log, escort = family.chi.log, family.chi.chi(q)
    escort = escort / (w @ escort)
    base = log(escort)
    gap = theta - vartheta
    bregman = family.cumulant(theta) - family.cumulant(vartheta) - gap @ family.gradient(vartheta)
    rest = w @ (escort * (base - log(q)))

    def conjugate(t: Array) -> Array:
        return most(lambda s: np.exp(s) * t + log(np.exp(s) * escort) - base, np.full_like(t, -9.0), np.full_like(t, 9.0), 50)

    best = most(lambda s: -np.exp(s) * p - escort * conjugate(-np.exp(s)), np.full_like(p, -8.0), np.full_like(p, 8.0), 60)
    return {
        "variational": float(w @ best), "divergence": float(w @ (escort * (base - log(p)))), "geometric": float(bregman + rest),
        "J": float(rest),
    }  # fmt: skip


def errors(name: str, seed: int, pairs: int = 3) -> dict[str, float]:
    """The largest relative gap between the sides over random pairs of parameters."""
    rng, family = np.random.default_rng(seed), Family(signature(name))
    worst = {"variational": 0.0, "divergence": 0.0, "J": 0.0}
    drawn = 0
    while drawn < pairs:
        theta, vartheta = rng.uniform(-1.0, 1.0, (2, 2))
        # A least square unit reaches 0, and a density of 0 leaves the family.
        if min(family.density(t).min() for t in (theta, vartheta)) < 1e-3:
            continue
        drawn += 1
        found = sides(family, theta, vartheta)
        for k in ("variational", "divergence"):
            worst[k] = max(worst[k], abs(found[k] / found["geometric"] - 1))
        worst["J"] = max(worst["J"], abs(found["J"]))
    return worst


def run(context: Context) -> Result:
    """Every member of the table that can be a density, and the exponential family itself."""
    values: dict[int, float] = {}
    extra: dict[str, float] = {}
    for seed in context.seeds:
        found = {name: errors(name, seed, 1 if context.small else 3) for name in MEMBERS}
        values[seed] = max(v["variational"] for v in found.values())
        for name, v in found.items():
            context.say(f"{name} seed {seed}: " + ", ".join(f"{k} {e:.2g}" for k, e in v.items()))
            for k, e in v.items():
                extra[f"{name} {k}"] = max(e, extra.get(f"{name} {k}", 0.0))
    return Result(values, extra, "largest relative gap between what a critic maximises and D_C + J; J: the largest remainder")


CLAIM = Claim(
    id="nock-identity",
    paper="Nock et al. 2017, arXiv:1707.04385",
    published="an identity (theorem)",
    what="vig-f-GAN identity on one-dimensional deformed exponential families, one for each activation: relative gap of its sides",
    run=run,
    threshold=1e-3,
    larger=False,
    minutes=0.5,
)

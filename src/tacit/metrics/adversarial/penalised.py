"""(e): a difference of means less a penalty on the critic's slope."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.optimize import minimize

from tacit.errors import InputError
from tacit.metrics import _check
from tacit.metrics.adversarial.base import AdversarialDivergence, Critic, Map, Supremum, mapped, mass, measures, values


@dataclass(frozen=True)
class WGANGPDivergence(AdversarialDivergence):
    """(e) sup over differentiable v of E v(x) − E v(y) − η E_t |‖∇v(tx + (1 − t)y)‖ − 1|^p, t ~ U[0, 1].

    m(x, y) = v(x) − v(y), r(x, y) the penalty on the segment ≥ 0; neutral: ±Σ x_i/√d, of slope 1, with the sign that m likes.
    On the line, with g = F_ν − F_μ and ρ the density of the points tx + (1 − t)y, the best slope at s has the sign of g and
    size 1 + e, e = (|g|/(pηρ))^(1/(p − 1)), and τ = ∫ |g|(1 + (1 − 1/p)e) ds. On an interval of length L, ρ ≥ |g|/L, so that
    W₁ ≤ τ ≤ (1 + L/(4η))W₁ for p = 2: there it falls with W₁.

    Args:
        eta: η. power: p > 1.

    Raises:
        InputError: ``exact`` with several columns; there take ``restricted``, or train a critic and take ``earned``.

    >>> round(WGANGPDivergence(eta=10.0).exact([0.0], [0.1]).value, 6)      # 1/n + 1/(4ηn²) at n = 10
    0.10025
    """

    eta: float = 10.0
    power: float = 2.0
    letter: ClassVar[str] = "e"
    strict: ClassVar[str] = (
        "strict: from the neutral critic, whose penalty is flat to first order, any v of which the means differ earns more"
    )
    metrises: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check.positive(self.eta, "eta")
        if not self.power > 1:
            raise InputError(f"power is {self.power}; expected more than 1; the usual is 2")

    def neutral(self, x: Any, y: Any, p: Any = None, q: Any = None) -> Critic:
        of = measures(x, y, p, q)
        sign = 1.0 if of.gap @ of.atoms.sum(1) >= 0 else -1.0
        return lambda rows: sign * rows.flatten(1).sum(1) / math.sqrt(rows.flatten(1).shape[1])

    def parts(self, critic: Critic, x: Any, y: Any, nodes: int = 16) -> tuple[np.ndarray, np.ndarray]:
        """``nodes`` of Gauss–Legendre quadrature on each segment."""
        a, b = _check.pair(x, y, ("x", "y"))
        m = (values(critic, a)[:, None] - values(critic, b)[None]).numpy()
        points, weights = _segments(a, b, nodes)
        at = torch.from_numpy(points).requires_grad_(True)
        (slope,) = torch.autograd.grad(critic(at).double().sum(), at)
        excess = (slope.norm(dim=1) - 1).abs().pow(self.power).reshape(len(a), len(b), nodes)
        return m, self.eta * (excess @ torch.from_numpy(weights)).numpy()

    def exact(self, x: Any, y: Any, p: Any = None, q: Any = None) -> Supremum:
        of = measures(x, y, p, q)
        if of.atoms.shape[1] > 1:
            raise InputError(
                f"x has {of.atoms.shape[1]} columns; the exact supremum of (e) is known on the line only; take restricted, or the "
                "earned of a trained critic"
            )
        s = of.atoms[:, 0]
        width, g = np.diff(s), -np.cumsum(of.gap)[:-1]
        # pair (i, j) spreads p_i q_j evenly over the cells between s_i and s_j
        far = np.abs(s[:, None] - s[None])
        share = np.divide(np.outer(of.p, of.q), far, out=np.zeros_like(far), where=far > 0)
        left = (np.arange(len(s))[:, None] <= np.arange(len(width))[None]).astype(float)
        rho = ((share + share.T) @ (1 - left) * left).sum(0)
        live = np.abs(g) > 1e-15
        e = np.zeros_like(width)
        e[live] = (np.abs(g[live]) / (self.power * self.eta * rho[live])) ** (1 / (self.power - 1))
        return Supremum(float(np.abs(g) * (1 + (1 - 1 / self.power) * e) @ width), of.atoms, None)

    def restricted(self, x: Any, y: Any, features: Map, p: Any = None, q: Any = None, nodes: int = 8) -> Supremum:
        """The best of several ascents: ‖∇v‖ near 0 is charged too, so that the earnings are not concave in θ."""
        a, b = _check.pair(x, y, ("x", "y"))
        pa, qb, of = mass(p, len(a), "p"), mass(q, len(b), "q"), measures(x, y, p, q)
        phi = mapped(features, of.atoms)
        gap = phi.T @ of.gap
        points, weights = _segments(a, b, nodes)
        weight = (pa[:, None, None] * qb[None, :, None] * weights).reshape(-1)
        jacobian = torch.func.vmap(torch.func.jacrev(lambda row: features(row[None])[0]))(torch.from_numpy(points)).detach().numpy()
        gram = np.einsum("skd,sld->skl", jacobian, jacobian)

        def lost(theta: np.ndarray) -> tuple[float, np.ndarray]:
            pulled = gram @ theta
            norms = np.sqrt(np.maximum(pulled @ theta, 1e-24))
            over = np.abs(norms - 1)
            slope = self.power * over ** (self.power - 1) * np.sign(norms - 1) / norms
            return (
                float(self.eta * weight @ over**self.power - gap @ theta), self.eta * (weight * slope) @ pulled - gap
            )  # fmt: skip

        best, value = np.zeros(len(gap)), -math.inf
        for way in (gap, *np.eye(len(gap))):
            size = math.sqrt(max(float(weight @ (gram @ way @ way)), 1e-24))
            for sign in (1.0, -1.0):
                found = minimize(lost, sign * way / size, jac=True, method="L-BFGS-B", options={"maxiter": 500})
                if -found.fun > value:
                    best, value = found.x, -float(found.fun)
        return Supremum(value, of.atoms, phi @ best, np.concatenate([[0.0], best]))


def _segments(x: np.ndarray, y: np.ndarray, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Points tx + (1 − t)y of every pair, ``(n·m·nodes, d)``, and the weights of t, ``(nodes,)``."""
    t, weights = np.polynomial.legendre.leggauss(nodes)
    t = (t + 1) / 2
    points = t[None, None, :, None] * x[:, None, None] + (1 - t)[None, None, :, None] * y[None, :, None]
    return points.reshape(-1, x.shape[1]), weights / 2

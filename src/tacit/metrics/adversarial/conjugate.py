"""(a) and (b): divergences through a convex conjugate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from tacit.metrics import _check
from tacit.metrics.adversarial.base import AdversarialDivergence, Critic, Map, Supremum, mapped, measures, values


class Conjugate(AdversarialDivergence):
    """E t(x) − E f*(t(y)) with t read from a critic: (a) and (b)."""

    metrises: ClassVar[bool] = False

    def t(self, v: Tensor) -> Tensor:
        """The critic's value as it is paid on data, −∞ outside the family."""
        raise NotImplementedError

    def paid(self, v: Tensor) -> Tensor:
        """f*(t(v)), ∞ outside its domain."""
        raise NotImplementedError

    @property
    def start(self) -> float:
        """The neutral critic's constant."""
        raise NotImplementedError

    @property
    def edge(self) -> float:
        """What v must stay below."""
        return math.inf

    def _value(self, p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """q·f(p/q) and the best critic at each atom."""
        raise NotImplementedError

    def parts(self, critic: Critic, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        vx, vy = values(critic, x), values(critic, y)
        m = self.t(vx)[:, None] - self.t(vy)[None]
        return m.numpy(), (self.paid(vy) - self.t(vy)).expand_as(m).numpy()

    def neutral(self, x: Any, y: Any, p: Any = None, q: Any = None) -> Critic:
        return lambda rows: rows.new_full((len(rows),), self.start)

    def exact(self, x: Any, y: Any, p: Any = None, q: Any = None) -> Supremum:
        of = measures(x, y, p, q)
        with np.errstate(divide="ignore", invalid="ignore"):
            value, critic = self._value(of.p, of.q)
        return Supremum(float(value.sum()), of.atoms, critic)

    def restricted(self, x: Any, y: Any, features: Map, p: Any = None, q: Any = None) -> Supremum:
        """By Newton's method from the neutral critic, the earnings being concave in θ; a barrier holds v below the edge at x."""
        of = measures(x, y, p, q)
        phi = mapped(features, of.atoms)
        scale = np.maximum(phi.std(0), 1e-12)
        design = torch.from_numpy(np.column_stack([np.ones(len(phi)), (phi - phi.mean(0)) / scale]))
        p_, q_ = torch.from_numpy(of.p), torch.from_numpy(of.q)
        # rows of no mass are left out: 0·∞ has no gradient
        real, fake = p_ > 0, q_ > 0

        def earned(theta: Tensor, barrier: float = 0.0) -> Tensor:
            v = design[real] @ theta
            held = barrier * (self.edge - v).log().sum() if barrier else 0.0
            return p_[real] @ self.t(v) - q_[fake] @ self.paid(design[fake] @ theta) + held

        theta, attained = torch.zeros(design.shape[1], dtype=torch.float64), False
        theta[0] = self.start
        for barrier in (10.0**-k for k in range(2, 11, 2)) if math.isfinite(self.edge) else (0.0,):
            theta, attained = _ascend(lambda at, b=barrier: earned(at, b), theta)  # type: ignore[misc]
        value = float(earned(theta))
        if not attained and value > 1e6:
            value = math.inf
        slopes = theta[1:].numpy() / scale
        weights = np.concatenate([[theta[0].item() - slopes @ phi.mean(0)], slopes])
        return Supremum(value, of.atoms, (design @ theta).numpy(), weights, attained)


def _ascend(earned: Callable[[Tensor], Tensor], theta: Tensor, most: int = 100) -> tuple[Tensor, bool]:
    """Damped Newton ascent of a concave function that may be −∞; whether the promised rise fell below 1e-11."""
    gradient, hessian = torch.func.grad(earned), torch.func.hessian(earned)
    value = earned(theta)
    for _ in range(most):
        g, h = gradient(theta), hessian(theta)
        step = torch.linalg.solve(-h + (1e-13 * h.abs().max() + 1e-30) * torch.eye(len(g), dtype=g.dtype), g)
        rise, size = float(g @ step), 1.0
        if rise < 1e-11:
            return theta, True
        while True:
            new = earned(theta + size * step)
            if torch.isfinite(new) and new >= value + 1e-4 * size * rise:
                break
            size /= 2
            if size < 1e-12:
                return theta, False
        theta, value = theta + size * step, new
        if value > 1e6 or theta.abs().max() > 1e8:
            break
    return theta, False


@dataclass(frozen=True)
class GANDivergence(Conjugate):
    """(a) sup over v of E log σ(v(x)) + E log(1 − σ(v(y))) = 2 JS(μ, ν) − log 4, in [−log 4, 0].

    m(x, y) = log u(x) − log u(y), r(x, y) = −log(u(y)(1 − u(y))) ≥ log 4, u = σ(v); neutral: u = ½.

    >>> d = GANDivergence()
    >>> d.exact([0.0], [0.0]).value == d.least, abs(d.exact([0.0], [1e-9]).value) < 1e-12
    (True, True)
    """

    letter: ClassVar[str] = "a"
    strict: ClassVar[str] = "strict: it is twice the Jensen-Shannon divergence less log 4, which is 0 between equals alone"

    @property
    def least(self) -> float:
        return -2 * math.log(2)

    @property
    def start(self) -> float:
        return 0.0

    def t(self, v: Tensor) -> Tensor:
        return logsigmoid(v)

    def paid(self, v: Tensor) -> Tensor:
        return -logsigmoid(-v)

    def _value(self, p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        both = p + q
        terms = (np.where(w > 0, w * np.log(np.where(w > 0, w / both, 1.0)), 0.0) for w in (p, q))
        return sum(terms), np.log(p) - np.log(q)  # type: ignore[return-value]


@dataclass(frozen=True)
class Convex:
    f: Callable[[np.ndarray], np.ndarray]
    at_zero: float
    slope: Callable[[np.ndarray], np.ndarray]
    edge: float
    conjugate: Callable[[Tensor], Tensor]


LOG2 = math.log(2)
CONVEX: dict[str, Convex] = {
    "kl": Convex(lambda u: u * np.log(u), 0.0, lambda u: 1 + np.log(u), np.inf, lambda t: (t - 1).exp()),
    "reverse-kl": Convex(lambda u: -np.log(u), np.inf, lambda u: -1 / u, 0.0, lambda t: -1 - (-t).log()),
    "pearson": Convex(lambda u: (u - 1) ** 2, 1.0, lambda u: 2 * (u - 1), np.inf, lambda t: t.square() / 4 + t),
    "squared-hellinger": Convex(
        lambda u: (np.sqrt(u) - 1) ** 2, 1.0, lambda u: 1 - 1 / np.sqrt(u), 1.0, lambda t: t / (1 - t)
    ),
    "jensen-shannon": Convex(
        lambda u: (u * np.log(u) - (u + 1) * np.log((1 + u) / 2)) / 2, LOG2 / 2, lambda u: np.log(2 * u / (1 + u)) / 2, LOG2 / 2,
        lambda t: -(2 - (2 * t).exp()).log() / 2,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class FGANDivergence(Conjugate):
    """(b) sup over v in the domain of f* of E v(x) − E f*(v(y)) = D_f(μ ‖ ν), each f as in ``tacit.metrics.divergences``.

    m(x, y) = v(x) − v(y), r(x, y) = f*(v(y)) − v(y) ≥ 0; neutral: v = f'(1), where f*(v) = v.

    Args:
        divergence: kl, reverse-kl, pearson, squared-hellinger or jensen-shannon.

    >>> round(FGANDivergence("jensen-shannon").exact([0.0], [0.1]).value, 6), FGANDivergence("kl").exact([0.0], [0.1]).value
    (0.693147, inf)
    """

    divergence: str = "kl"
    letter: ClassVar[str] = "b"
    strict: ClassVar[str] = "strict, since each f is strictly convex at 1"

    def __post_init__(self) -> None:
        _check.choice(self.divergence, "divergence", tuple(CONVEX))

    @property
    def _of(self) -> Convex:
        return CONVEX[self.divergence]

    @property
    def start(self) -> float:
        return float(self._of.slope(np.ones(())))

    @property
    def edge(self) -> float:
        return self._of.edge

    def t(self, v: Tensor) -> Tensor:
        return v.where(v < self.edge, -math.inf)

    def paid(self, v: Tensor) -> Tensor:
        inside = v < self.edge
        # where() alone would let the other branch's NaN into the gradient
        return self._of.conjugate(v.where(inside, self.start)).where(inside, math.inf)

    def _value(self, p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u = np.where((p > 0) & (q > 0), p, 1.0) / np.where((p > 0) & (q > 0), q, 1.0)
        value = np.where(p > 0, np.where(q > 0, q * self._of.f(u), p * self.edge), np.where(q > 0, q * self._of.at_zero, 0.0))
        critic = np.where(p > 0, np.where(q > 0, self._of.slope(u), self.edge), self._of.slope(np.zeros(())))
        return value, critic

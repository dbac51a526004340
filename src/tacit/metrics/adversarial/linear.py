"""(c) and (d): differences of means over a ball of critics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.optimize import linprog
from scipy.spatial.distance import cdist

from tacit.errors import InputError
from tacit.metrics import _check
from tacit.metrics.adversarial.base import AdversarialDivergence, Critic, Map, Measures, Supremum, mapped, measures, values
from tacit.metrics.kernels import gaussian

MOST = 400
"""Different points between which Lipschitz constraints are written out, in several columns."""


class Linear(AdversarialDivergence):
    """E v(x) − E v(y): (c) and (d). m = v(x) − v(y), r = 0; neutral: v = 0."""

    metrises: ClassVar[bool] = True

    def parts(self, critic: Critic, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        m = (values(critic, x)[:, None] - values(critic, y)[None]).numpy()
        return m, np.zeros_like(m)


@dataclass(frozen=True)
class MMDDivergence(Linear):
    """(c) sup over the unit ball of an RKHS of E v(x) − E v(y) = MMD(μ, ν), the root of ``tacit.metrics.mmd``.

    The kernel is the mean of Gaussian kernels of the given bandwidths. Over θ·φ with ‖θ‖ ≤ 1 it is ‖E φ(x) − E φ(y)‖.

    Args:
        bandwidths: the σ, in units of the rows.

    >>> round(MMDDivergence((1.0,)).exact([0.0], [1.0]).value, 4)
    0.8871
    """

    bandwidths: Sequence[float] = (1.0,)
    letter: ClassVar[str] = "c"
    strict: ClassVar[str] = "strict for a characteristic kernel, as Gaussian kernels and their means are"

    def exact(self, x: Any, y: Any, p: Any = None, q: Any = None) -> Supremum:
        of = measures(x, y, p, q)
        mean = gaussian(of.atoms, of.atoms, self.bandwidths)(of.atoms, of.atoms) @ of.gap
        value = math.sqrt(max(float(of.gap @ mean), 0.0))
        return Supremum(value, of.atoms, mean / value if value else mean)

    def restricted(self, x: Any, y: Any, features: Map, p: Any = None, q: Any = None) -> Supremum:
        of = measures(x, y, p, q)
        phi = mapped(features, of.atoms)
        gap = phi.T @ of.gap
        value = float(np.linalg.norm(gap))
        theta = np.concatenate([[0.0], gap / value if value else gap])
        return Supremum(value, of.atoms, phi @ theta[1:], theta)


@dataclass(frozen=True)
class WGANDivergence(Linear):
    """(d) sup over K-Lipschitz v of E v(x) − E v(y) = K·W₁(μ, ν), Euclidean, by linear programming.

    Over θ·φ the constraint is |θ·φ(a) − θ·φ(b)| ≤ K‖a − b‖ between all rows of x and y.

    Args:
        lipschitz: K.

    Raises:
        InputError: several columns and more than 400 different rows.

    >>> WGANDivergence().exact([0.0], [0.25]).value
    0.25
    """

    lipschitz: float = 1.0
    letter: ClassVar[str] = "d"
    strict: ClassVar[str] = "strict: W1 is a metric"

    def __post_init__(self) -> None:
        _check.positive(self.lipschitz, "lipschitz")

    def exact(self, x: Any, y: Any, p: Any = None, q: Any = None) -> Supremum:
        of = measures(x, y, p, q)
        if of.atoms.shape[1] == 1:
            # sorted by np.unique: between neighbours the best slope is K, towards the side that p lies on
            width, below = np.diff(of.atoms[:, 0]), np.cumsum(of.gap)[:-1]
            v = self.lipschitz * np.concatenate([[0.0], np.cumsum(-np.sign(below) * width)])
            return Supremum(self.lipschitz * float(np.abs(below) @ width), of.atoms, v)
        theta, _ = self._program(of, np.eye(len(of.atoms)))
        return Supremum(float(of.gap @ theta), of.atoms, theta)

    def restricted(self, x: Any, y: Any, features: Map, p: Any = None, q: Any = None) -> Supremum:
        of = measures(x, y, p, q)
        phi = mapped(features, of.atoms)
        theta, bounded = self._program(of, phi)
        value = float(of.gap @ phi @ theta) if bounded else math.inf
        return Supremum(value, of.atoms, phi @ theta, np.concatenate([[0.0], theta]), bounded)

    def _program(self, of: Measures, phi: np.ndarray) -> tuple[np.ndarray, bool]:
        if len(of.atoms) > MOST:
            raise InputError(f"x and y hold {len(of.atoms)} different rows; the exact critic takes at most {MOST}; give fewer rows")
        i, j = np.triu_indices(len(of.atoms), 1)
        far, rises = cdist(of.atoms, of.atoms)[i, j], phi[i] - phi[j]
        found = linprog(
            -(of.gap @ phi), np.concatenate([rises, -rises]), np.tile(self.lipschitz * far, 2), bounds=(None, None), method="highs"
        )  # fmt: skip
        return (found.x, True) if found.status == 0 else (np.full(phi.shape[1], np.nan), False)

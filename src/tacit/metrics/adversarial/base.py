"""Discrete measures, suprema, and what every adversarial divergence answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from tacit.errors import InputError
from tacit.metrics import _check

Critic = Callable[[Tensor], Tensor]
"""Rows ``(n, d)`` → values ``(n,)``, in torch, differentiable."""
Map = Callable[[Tensor], Tensor]
"""Rows ``(n, d)`` → features ``(n, k)``, in torch, differentiable for (e)."""


@dataclass(frozen=True)
class Supremum:
    """The best critic of a family between two discrete measures.

    Attributes:
        value: τ, ∞ where the family can earn any amount.
        atoms: the different rows of both, ``(k, d)``; the critic: its values there, ``(k,)``, ∞ where it is only approached
            (None for (e), whose payment is by gradients).
        theta: weights of the features, for a family that is linear in them.
        attained: whether the search ended at a stationary point; False where the supremum lies at infinite weights.
    """

    value: float
    atoms: np.ndarray
    critic: np.ndarray | None
    theta: np.ndarray | None = None
    attained: bool = True


@dataclass(frozen=True)
class Measures:
    atoms: np.ndarray
    p: np.ndarray
    q: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        return self.p - self.q


def measures(x: Any, y: Any, p: Any, q: Any) -> Measures:
    a, b = _check.pair(x, y, ("x", "y"))
    masses = [mass(w, len(rows), name) for w, rows, name in ((p, a, "p"), (q, b, "q"))]
    atoms, of = np.unique(np.concatenate([a, b]), axis=0, return_inverse=True)
    of = of.reshape(-1)
    return Measures(
        atoms, np.bincount(of[: len(a)], masses[0], len(atoms)), np.bincount(of[len(a) :], masses[1], len(atoms))
    )  # fmt: skip


def mass(weights: Any, n: int, name: str) -> np.ndarray:
    if weights is None:
        return np.full(n, 1 / n)
    w = _check.array(weights, name).astype(np.float64).reshape(-1)
    if len(w) != n or w.min() < 0 or w.sum() <= 0:
        raise InputError(f"{name} holds {len(w)} weights from {w.min():.3g} for {n} rows; expected one of 0 or more for each; mend them")
    return w / w.sum()


class AdversarialDivergence:
    """τ(μ ‖ ν) = sup over f in F of E f(x, y) on discrete measures: x rows ``(n, d)`` of masses p, y rows ``(m, d)`` of masses q.

    Masses default to 1/n and 1/m. Rows are flattened and computed in float64.
    """

    letter: ClassVar[str]
    strict: ClassVar[str]
    """Why (and when) τ(μ ‖ ·) is least at μ alone."""
    metrises: ClassVar[bool]
    """Whether ν → μ weakly on a bounded set takes τ(μ ‖ ν) to its least value as well (for (e): known on the line)."""

    @property
    def least(self) -> float:
        """τ(μ ‖ μ): what it cannot fall below."""
        return 0.0

    def parts(self, critic: Critic, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """m and r of f = m − r at every pair of rows, each ``(n, m)``, for a critic."""
        raise NotImplementedError

    def neutral(self, x: Any, y: Any, p: Any = None, q: Any = None) -> Critic:
        """The critic at which m has mean 0 (at least 0 for (e)) and r is least."""
        return lambda rows: rows.new_zeros(len(rows))

    def exact(self, x: Any, y: Any, p: Any = None, q: Any = None) -> Supremum:
        """The supremum over the whole family."""
        raise NotImplementedError

    def restricted(self, x: Any, y: Any, features: Map, p: Any = None, q: Any = None) -> Supremum:
        """The supremum over critics θ₀ + θ·φ of the family; φ: ``(n, d)`` float64 → ``(n, k)``."""
        raise NotImplementedError

    def earned(self, critic: Critic, x: Any, y: Any, p: Any = None, q: Any = None) -> float:
        """E f(x, y) of one critic, such as a trained network: at most τ where it belongs to the family."""
        a, b = _check.pair(x, y, ("x", "y"))
        m, r = self.parts(critic, a, b)
        return float(mass(p, len(a), "p") @ (m - r) @ mass(q, len(b), "q"))


def values(critic: Critic, rows: Any) -> Tensor:
    with torch.no_grad():
        return critic(torch.from_numpy(_check.rows(rows, "rows"))).double().reshape(-1)


def mapped(features: Map, atoms: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        made = features(torch.from_numpy(atoms)).double()
    if made.dim() != 2 or len(made) != len(atoms) or not torch.isfinite(made).all():
        raise InputError(
            f"features gave shape {tuple(made.shape)} for {len(atoms)} rows, or values that are not finite; "
            "expected finite numbers (n, k); mend the map"
        )
    return made.numpy()

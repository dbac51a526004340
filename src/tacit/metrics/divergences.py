"""The f-divergences of the f-GAN family: exact in one dimension, estimated from samples in any.

D_f(P ‖ Q) = E_Q[f(p/q)], in nats where a logarithm enters:

    kl                  E_P log(p/q)                         [0, ∞)
    reverse-kl          E_Q log(q/p)                         [0, ∞)
    pearson             ∫ (p − q)² / q                       [0, ∞)
    squared-hellinger   ∫ (√p − √q)²                         [0, 2]
    jensen-shannon      ½ KL(p ‖ m) + ½ KL(q ‖ m), m = (p+q)/2   [0, log 2]
    gan                 2 JS − log 4, what an optimal discriminator earns   [−log 4, 0]

Source: Nowozin, Cseke & Tomioka 2016, arXiv:1606.00709, table 1 (its Jensen–Shannon generator is twice this).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from tacit.errors import InputError
from tacit.metrics import _check
from tacit.metrics.figure import Figure, normal_figure

LogDensity = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Divergence:
    """One f-divergence, all in terms of the log ratio t = log p − log q.

    Attributes:
        integrand: (log p, log q) → the integrand.
        on_p, on_q: t → f'(e^t) and t → −f*(f'(e^t)), so that D = E_P[on_p] + E_Q[on_q] at the true t,
            and a lower bound at any other t.
        low, high: range.
    """

    integrand: Callable[[np.ndarray, np.ndarray], np.ndarray]
    on_p: Callable[[np.ndarray], np.ndarray]
    on_q: Callable[[np.ndarray], np.ndarray]
    low: float
    high: float


def _js(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    m = np.logaddexp(a, b) - np.log(2)
    return (np.exp(a) * (a - m) + np.exp(b) * (b - m)) / 2


def _softplus(t: np.ndarray) -> np.ndarray:
    return np.logaddexp(0.0, t)


LOG2 = float(np.log(2))
DIVERGENCES: dict[str, Divergence] = {
    "kl": Divergence(lambda a, b: np.exp(a) * (a - b), lambda t: 1 + t, lambda t: -np.exp(t), 0, np.inf),
    "reverse-kl": Divergence(
        lambda a, b: np.exp(b) * (b - a), lambda t: -np.exp(-t), lambda t: 1 - t, 0, np.inf
    ),
    "pearson": Divergence(
        lambda a, b: np.exp(2 * a - b) - 2 * np.exp(a) + np.exp(b),
        lambda t: 2 * np.exp(t) - 2,
        lambda t: 1 - np.exp(2 * t),
        0,
        np.inf,
    ),
    "squared-hellinger": Divergence(
        lambda a, b: (np.exp(a / 2) - np.exp(b / 2)) ** 2,
        lambda t: 1 - np.exp(-t / 2),
        lambda t: 1 - np.exp(t / 2),
        0,
        2,
    ),
    "jensen-shannon": Divergence(
        _js, lambda t: (LOG2 - _softplus(-t)) / 2, lambda t: (LOG2 - _softplus(t)) / 2, 0, LOG2
    ),
    "gan": Divergence(
        lambda a, b: 2 * _js(a, b) - LOG2 * (np.exp(a) + np.exp(b)),
        lambda t: -_softplus(-t),
        lambda t: -_softplus(t),
        -2 * LOG2,
        0,
    ),
}


def divergence_1d(
    name: str, log_p: LogDensity, log_q: LogDensity, low: float, high: float, *, panels: int = 2000
) -> Figure:
    """D_f(P ‖ Q) of two known densities on the line, by Gauss–Legendre quadrature (16 nodes a panel).

    Args:
        name: one of ``DIVERGENCES``.
        log_p, log_q: log densities, array (n,) to array (n,).
        low, high: ends of the integral; both densities must hold their mass (within 1e-3) between them.
        panels: equal panels; narrow peaks need panels of about their width.

    Returns:
        The value; ``se`` is the difference to half as many panels (numerical, not statistical).

    Raises:
        InputError: an unknown name, or densities that do not integrate to 1 there.

    >>> from scipy.stats import norm
    >>> round(float(divergence_1d("kl", norm(1, 1).logpdf, norm(0, 1).logpdf, -12, 12)), 9)
    0.5
    """
    d = DIVERGENCES[_check.choice(name, "divergence", tuple(DIVERGENCES))]
    if not np.isfinite([low, high]).all() or low >= high:
        raise InputError(
            f"the range is {low}..{high}; expected finite ends, low < high; widen it to hold both densities"
        )
    panels = _check.whole(panels, "panels", 2)
    value, rough = (_integrate(d, log_p, log_q, low, high, p) for p in (panels, panels // 2))
    return Figure(value, se=abs(value - rough))


def _integrate(
    d: Divergence, log_p: LogDensity, log_q: LogDensity, low: float, high: float, panels: int
) -> float:
    nodes, weights = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(low, high, panels + 1)
    half = (high - low) / panels / 2
    x = (edges[:-1, None] + half * (nodes + 1)).ravel()
    w = np.tile(weights * half, panels)
    # a density of exactly 0 has log −∞; the floor keeps 0·log 0 = 0
    a, b = (np.maximum(np.asarray(f(x), dtype=np.float64), -700.0) for f in (log_p, log_q))
    for log, name in ((a, "p"), (b, "q")):
        mass = float(w @ np.exp(log))
        if not abs(mass - 1) < 1e-3:
            raise InputError(
                f"density {name} integrates to {mass:.4g} over {low}..{high}; expected 1; widen the range "
                "or add panels"
            )
    return float(w @ d.integrand(a, b))


def f_divergence(
    name: str, x: Any, y: Any, *, classifier: Any = None, folds: int = 5, seed: int = 0
) -> Figure:
    """D_f(P ‖ Q) from samples x ~ P and y ~ Q, through a classifier's estimate of the density ratio.

    A probabilistic classifier told x from y gives t(·) = logit + log(m/n) ≈ log p/q. On rows that it has not
    seen (cross-fitting), the variational form is evaluated, so that no estimate of t can inflate the figure:

        D̂ = mean_x f'(e^t) − mean_y f*(f'(e^t))  ≤  D_f(P ‖ Q)   in expectation, equal at the true ratio.

    It therefore errs low where the classifier is weak, and may fall below 0 when P ≈ Q. The KLs and Pearson's
    have
    heavy tails: far-apart samples need many rows.

    Args:
        name: one of ``DIVERGENCES``.
        x, y: rows (n, …) and (m, …), flattened.
        classifier: a scikit-learn classifier with ``predict_proba`` (it is cloned); default
            ``ratio_classifier``.
        folds: parts for the cross-fitting.
        seed: of the folds and of the default classifier.

    Returns:
        The estimate, its standard error over held-out rows (the classifier held fixed) and 95 % interval.

    Source: Nguyen, Wainwright & Jordan 2010 (IEEE T. Inf. Theory), arXiv:0809.0853; Nowozin et al. 2016.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> d = f_divergence("kl", rng.normal(1, 1, 2000), rng.normal(0, 1, 2000))   # truth: 0.5
    >>> 0.4 < float(d) < 0.6
    True
    """
    d = DIVERGENCES[_check.choice(name, "divergence", tuple(DIVERGENCES))]
    t, n = log_ratio(x, y, classifier=classifier, folds=folds, seed=seed)
    with np.errstate(over="ignore"):
        on_x, on_y = d.on_p(t[:n]), d.on_q(t[n:])
    value = on_x.mean() + on_y.mean()
    se = np.sqrt(on_x.var(ddof=1) / len(on_x) + on_y.var(ddof=1) / len(on_y))
    return normal_figure(value, se, min(len(on_x), len(on_y)))


def log_ratio(
    x: Any, y: Any, *, classifier: Any = None, folds: int = 5, seed: int = 0
) -> tuple[np.ndarray, int]:
    """Held-out estimates of log p/q at the rows of x, then of y: ((n + m,), n). Arguments as
    ``f_divergence``."""
    a, b = _check.pair(x, y, ("x", "y"))
    folds = _check.whole(folds, "folds", 2)
    _check.enough(len(a), "x", 2 * folds)
    _check.enough(len(b), "y", 2 * folds)
    rows, side = np.concatenate([a, b]), np.repeat([1, 0], [len(a), len(b)])
    model = ratio_classifier(rows.shape[1], seed) if classifier is None else classifier
    out = np.empty(len(rows))
    parts = StratifiedKFold(folds, shuffle=True, random_state=_check.whole(seed, "seed", 0))
    for train, test in parts.split(rows, side):
        p = clone(model).fit(rows[train], side[train]).predict_proba(rows[test])
        p = np.clip(p, 1e-12, 1.0)
        prior = np.log(side[train].sum() / (len(train) - side[train].sum()))
        out[test] = np.log(p[:, 1]) - np.log(p[:, 0]) - prior
    return out, len(a)


def ratio_classifier(width: int, seed: int = 0) -> Any:
    """The default classifier: up to 32 columns a quadratic logistic regression (exact between Gaussians),
    beyond that a small perceptron that stops early."""
    if width <= 32:
        return make_pipeline(
            StandardScaler(),
            PolynomialFeatures(2, include_bias=False),
            LogisticRegression(C=10.0, max_iter=2000),
        )
    return make_pipeline(
        StandardScaler(), MLPClassifier((128,), early_stopping=True, n_iter_no_change=5, random_state=seed)
    )

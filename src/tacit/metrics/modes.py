"""Modes captured, share of high-quality samples and divergence over modes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist
from sklearn.ensemble import HistGradientBoostingClassifier

from tacit.errors import InputError
from tacit.metrics import _check
from tacit.metrics.divergences import log_ratio
from tacit.metrics.figure import Figure, mean_figure, table_figure


@dataclass(frozen=True)
class Modes:
    """What a set of samples covers.

    Attributes:
        captured: modes with at least one (high-quality) sample.
        missing: modes without any.
        n_modes: modes in the data.
        high_quality: share of samples that are high quality, in [0, 1]; None where that has no meaning.
        reverse_kl: KL(samples' modes ‖ data's modes) in nats, ≥ 0 (every sample counts for its nearest mode).
        counts: samples that make a mode captured, (n_modes,).
    """

    captured: int
    missing: int
    n_modes: int
    high_quality: Figure | None
    reverse_kl: Figure
    counts: np.ndarray

    def __str__(self) -> str:
        quality = f", high quality {self.high_quality}" if self.high_quality else ""
        return f"{self.captured} of {self.n_modes} modes{quality}, reverse KL {self.reverse_kl}"


def modes(
    samples: Any,
    means: Any,
    sd: Any,
    *,
    weights: Any = None,
    within: float = 3.0,
    count: int | None = 2500,
    bootstrap: int = 200,
    seed: _check.Seed = 0,
) -> Modes:
    """Score samples against a mixture whose means are known (``ring8``, ``grid25``).

    A sample is high quality when it lies within ``within`` standard deviations of a mean (Euclidean
    distance); a mode is captured when at least one of ``count`` samples is high quality and nearest to it.

    Args:
        samples: rows (n, d), n ≥ ``count``; the first ``count`` are used, so that figures compare.
        means: (k, d). sd: a number, or one a mode (k,).
        weights: the data's share of every mode (k,), default equal; of the reverse KL.
        count: the published protocol's 2,500; None uses all rows.
        bootstrap: draws for the reverse KL's interval.
        seed: of those draws.

    Returns:
        ``Modes``. The reverse KL has an upward bias of about (k − 1) / (2 n).

    Raises:
        InputError: fewer than ``count`` samples, other widths, sd not above 0.

    Source: Srivastava et al. 2017 (VEEGAN), arXiv:1705.07761; Lin et al. 2018 (PacGAN), arXiv:1712.04086.

    >>> import numpy as np
    >>> m = modes(np.array([[0.0], [0.1], [9.0], [10.0]]), [[0.0], [10.0], [20.0]], 0.1, count=None)
    >>> m.captured, m.missing, float(m.high_quality), m.counts.tolist()
    (2, 1, 0.75, [2, 1, 0])
    """
    x, centres = _check.pair(samples, means, ("samples", "means"))
    if count is not None:
        if len(x) < _check.whole(count, "count", 1):
            raise InputError(
                f"samples has {len(x)} rows; the protocol counts {count}; give more samples or pass "
                f"count={len(x)}"
            )
        x = x[:count]
    k = len(centres)
    widths = _check.array(sd, "sd").astype(np.float64).ravel()
    if len(widths) not in (1, k) or (widths <= 0).any():
        raise InputError(
            f"sd has {len(widths)} values from {widths.min():g}; expected one above 0, or one for each of "
            f"{k} modes"
        )
    d = cdist(x, centres)
    nearest = d.argmin(1)
    good = (
        d[np.arange(len(x)), nearest]
        <= _check.positive(within, "within") * np.broadcast_to(widths, k)[nearest]
    )
    counts = np.bincount(nearest[good], minlength=k)
    captured = int((counts > 0).sum())
    kl = _reverse_kl(np.bincount(nearest, minlength=k), _shares(weights, k), bootstrap, seed)
    return Modes(captured, k - captured, k, mean_figure(good, 0.0, 1.0), kl, counts)


def label_modes(
    labels: Any, n_modes: int, *, reference: Any = None, bootstrap: int = 200, seed: _check.Seed = 0
) -> Modes:
    """Score samples by the class that a classifier gives each of them.

    Args:
        labels: integers (n,) in [0, n_modes).
        reference: the data's share of every class (n_modes,), each above 0; default equal.
        n_modes, bootstrap, seed: as ``modes``.

    >>> m = label_modes([0, 0, 2, 2], 3)
    >>> m.captured, round(float(m.reverse_kl), 4)         # log(3/2)
    (2, 0.4055)
    """
    n_modes = _check.whole(n_modes, "n_modes", 1)
    y = _check.labels(labels, "labels")
    if y.dtype.kind not in "iub" or y.min() < 0 or y.max() >= n_modes:
        raise InputError(
            f"labels run from {y.min()} to {y.max()}; expected whole numbers in 0..{n_modes - 1}; "
            "renumber them"
        )
    counts = np.bincount(y.astype(np.int64), minlength=n_modes)
    captured = int((counts > 0).sum())
    kl = _reverse_kl(counts, _shares(reference, n_modes), bootstrap, seed)
    return Modes(captured, n_modes - captured, n_modes, None, kl, counts)


def stacked_modes(
    samples: Any,
    classify: Callable[[np.ndarray], Any],
    *,
    reference: Any = None,
    count: int | None = 26_000,
    bootstrap: int = 200,
    seed: _check.Seed = 0,
) -> Modes:
    """Score stacked digits: every channel is classified by itself, mode = 100 r + 10 g + b, 1,000 modes.

    Args:
        samples: pictures (n, 3, H, W), n ≥ ``count``; the first ``count`` are used.
        classify: grey pictures (m, 1, H, W) → digit labels (m,) in 0..9, e.g. ``classifier.predict``.
        reference: the data's share of every mode (1000,); default equal. Or labels of real stacks, (r, 3).
        count: the published protocol's 26,000; None uses all rows.
        bootstrap, seed: as ``modes``.

    Returns:
        ``Modes`` without a high-quality share. With few samples a mode the data holds may be missed by
        chance, and the reverse KL has an upward bias of about 999 / (2 n).

    Source: Metz et al. 2017, arXiv:1611.02163; Srivastava et al. 2017, arXiv:1705.07761.
    """
    # not converted: 26,000 stacks of bytes would take eight times their memory as floats
    x = samples.detach().cpu().numpy() if isinstance(samples, torch.Tensor) else np.asarray(samples)
    if x.ndim != 4 or x.shape[1] != 3:
        raise InputError(
            f"samples has shape {x.shape}; expected stacked digits (n, 3, H, W); stack three grey pictures"
        )
    if count is not None:
        _check.enough(len(x), "samples", _check.whole(count, "count", 1))
        x = x[:count]
    digits = np.stack([_check.labels(classify(x[:, c : c + 1]), "classify(samples)") for c in range(3)], 1)
    if reference is not None and np.ndim(reference) == 2:
        reference = np.bincount(_stack(np.asarray(reference)), minlength=1000) / len(reference)
    return label_modes(_stack(digits), 1000, reference=reference, bootstrap=bootstrap, seed=seed)


def missing_modes(
    real: Any,
    fake: Any,
    *,
    threshold: float = 0.95,
    noise: float = 0.0,
    classifier: Any = None,
    folds: int = 4,
    seed: int = 0,
) -> Figure:
    """Share of real rows in regions that a generator leaves out, in [0, 1], without knowing the modes.

    A discriminator D* that has nothing to do with the generator's training learns to tell real rows from
    generated ones; at its best D* = p/(p + q), p real, q generated, both counted alike. A real row is missed
    where D* is nearly sure of it:

        share = P_real[D*(x) > t],   which is q(x)/p(x) < (1 − t)/t at the best D*.

    Every row is judged by a D* that was trained on other rows, so that none counts because it was learnt by
    heart. The figure depends on how well D* can tell them apart: compare figures of the same D* only.

    Args:
        real: rows (n, …), flattened; those that must be covered. fake: generated rows (m, …).
        threshold: t in (½, 1).
        noise: standard deviation of Gaussian noise on D*'s input, in the rows' units; blurs what is generated
            well but not exactly (the paper adds noise for pictures).
        classifier: a scikit-learn classifier with ``predict_proba`` (it is cloned); default boosted trees.
        folds: parts for the cross-fitting.
        seed: of folds, noise and the default classifier.

    Returns:
        The share and its binomial error over real rows, D* held fixed.

    Raises:
        InputError: too few rows, different widths, a threshold outside (½, 1).

    Source: Che et al. 2017 (the third-party discriminator), arXiv:1612.02136.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> real = rng.normal(size=(800, 2)) + 20 * (np.arange(800) % 4)[:, None]
    >>> fake = rng.normal(size=(600, 2)) + 20 * (np.arange(600) % 3)[:, None]
    >>> round(float(missing_modes(real, fake)), 2)
    0.25
    """
    if not 0.5 < _check.positive(threshold, "threshold") < 1:
        raise InputError(f"threshold is {threshold}; expected more than 0.5 and less than 1; try 0.95")
    a, b = _check.pair(real, fake, ("real", "fake"))
    if noise:
        rng = np.random.default_rng(_check.whole(seed, "seed", 0))
        spread = _check.positive(noise, "noise")
        a, b = (x + spread * rng.normal(size=x.shape) for x in (a, b))
    model = HistGradientBoostingClassifier(random_state=seed) if classifier is None else classifier
    ratio, n = log_ratio(a, b, classifier=model, folds=folds, seed=seed)
    return mean_figure(ratio[:n] > np.log(threshold / (1 - threshold)), 0.0, 1.0)


def _stack(digits: np.ndarray) -> np.ndarray:
    if digits.ndim != 2 or digits.shape[1] != 3 or digits.min() < 0 or digits.max() > 9:
        raise InputError(
            f"digits have shape {digits.shape}, {digits.min()}..{digits.max()}; expected (n, 3) in 0..9; "
            "use a digit classifier"
        )
    return digits.astype(np.int64) @ np.array([100, 10, 1])


def _shares(weights: Any, k: int) -> np.ndarray:
    if weights is None:
        return np.full(k, 1 / k)
    w = _check.array(weights, "weights").astype(np.float64)
    if w.shape != (k,) or (w <= 0).any():
        raise InputError(
            f"weights have shape {w.shape}, least {w.min():g}; expected {k} shares above 0; smooth empty "
            "modes"
        )
    return w / w.sum()


def _reverse_kl(counts: np.ndarray, shares: np.ndarray, bootstrap: int, seed: _check.Seed) -> Figure:
    def measure(c: np.ndarray) -> float:
        p = c / c.sum()
        seen = p > 0
        return max(0.0, float((p[seen] * np.log(p[seen] / shares[seen])).sum()))

    draws = _check.whole(bootstrap, "bootstrap", 0)
    return table_figure(counts, measure, draws, _check.generator(seed), 0.0, np.inf)

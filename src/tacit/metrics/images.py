"""Scores of samples from a classifier's probabilities: inception score and mode score."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tacit.errors import InputError
from tacit.metrics import _check
from tacit.metrics.distributions import Moments
from tacit.metrics.figure import Figure, normal_figure


class ClassMoments:
    """All that the inception and mode scores need of class probabilities, gathered batch by batch.

    Keeps the mean and covariance of (p(y|x), Σ_y p log p); merging parts equals one pass.

    >>> m = ClassMoments().update([[1.0, 0.0]]).merge(ClassMoments().update([[0.0, 1.0]]))
    >>> m.n, round(float(inception_score(m)), 6)
    (2, 2.0)
    """

    def __init__(self, moments: Moments | None = None):
        self.moments = moments or Moments()

    @property
    def n(self) -> int:
        """Samples seen."""
        return self.moments.n

    def update(self, p: Any) -> ClassMoments:
        """Add probabilities (b, classes); return self."""
        p = _check.probabilities(p, "probabilities")
        self.moments.update(np.column_stack([p, _plogp(p).sum(1)]))
        return self

    def merge(self, other: ClassMoments) -> ClassMoments:
        """Both parts together, as a new object."""
        return ClassMoments(self.moments.merge(other.moments))

    def over_ranks(self) -> ClassMoments:
        """What all ranks saw, on every rank, see :meth:`Moments.over_ranks`."""
        return ClassMoments(self.moments.over_ranks())


def inception_score(p: Any, *, splits: int = 10, seed: int = 0) -> Figure:
    """Inception score, in [1, classes], higher is better: IS = exp(E_x KL(p(y|x) ‖ p(y))), p(y) = E_x p(y|x).

    It looks at the generated samples alone: it does not see memorisation, nor modes missing inside a class,
    and is biased low for few samples in a split (Barratt & Sharma 2018, arXiv:1801.01973).

    Args:
        p: probabilities (n, classes) of generated samples, or ``ClassMoments`` (then one split).
        splits: the rows are shuffled and cut into this many parts; the figure is the mean over the parts.
        seed: of the shuffle.

    Returns:
        The mean over splits and its standard error (s/√splits); for one split, the delta method's.

    Source: Salimans et al. 2016, arXiv:1606.03498.

    >>> import numpy as np
    >>> round(float(inception_score(np.eye(4).repeat(5, 0), splits=1)), 6)
    4.0
    """
    if isinstance(p, ClassMoments):
        return _single(p)
    p = _check.probabilities(p, "probabilities")
    if _check.whole(splits, "splits", 1) == 1:
        return _single(ClassMoments().update(p))
    _check.enough(len(p), "probabilities", splits)
    order = torch.randperm(len(p), generator=_check.torch_generator(seed))
    parts = [p[i.numpy()] for i in order.chunk(splits)]
    scores = np.array([np.exp(_plogp(q).sum(1).mean() - _plogp(q.mean(0)).sum()) for q in parts])
    return normal_figure(scores.mean(), scores.std(ddof=1) / np.sqrt(len(scores)), len(p))


def mode_score(fake: Any, real: Any) -> Figure:
    """Mode score, in (0, classes], higher is better; the inception score less the classes' imbalance:

        MS = exp(E_x KL(p(y|x) ‖ p(y)) − KL(p(y) ‖ p_real(y))).

    This is the form of Xu et al. 2018 (arXiv:1806.07755, eq. 3). With p_real in both terms, as Che et al.
    2017 (arXiv:1612.02136) print it, the two differences cancel and the inception score is left.

    Args:
        fake: probabilities (n, classes) of generated samples, or ``ClassMoments``.
        real: the same of real samples, or the class frequencies (classes,), each above 0 where fake's are.

    Returns:
        The score with the delta method's standard error (noise of both sets; frequencies count as exact).

    >>> import numpy as np
    >>> round(float(mode_score(np.eye(4).repeat(5, 0), np.full(4, 0.25))), 6)
    4.0
    """
    f = fake if isinstance(fake, ClassMoments) else ClassMoments().update(fake)
    p, h = _means(f)
    reference = real if isinstance(real, ClassMoments) else None
    if reference is None and np.ndim(real) == 1:
        r = _check.probabilities(np.asarray(real)[None], "real")[0]
    else:
        reference = reference or ClassMoments().update(real)
        r = _means(reference)[0]
    if len(r) != len(p):
        raise InputError(
            f"fake has {len(p)} classes and real has {len(r)}; expected the same; use one classifier"
        )
    if ((p > 0) & (r <= 0)).any():
        raise InputError(
            "fake has a class that real never shows; the score would be 0; give more real samples"
        )
    value = float(np.exp(h - 2 * _plogp(p).sum() + (p * _log(r)).sum()))
    variance = _delta(f, np.append(_log(r) - 2 * _log(p), 1.0))
    if reference is not None:
        variance += _delta(reference, np.append(np.divide(p, r, out=np.zeros_like(p), where=r > 0), 0.0))
    return normal_figure(value, value * np.sqrt(variance), f.n)


def _single(m: ClassMoments) -> Figure:
    p, h = _means(m)
    value = float(np.exp(h - _plogp(p).sum()))
    if m.n < 2:
        return Figure(value, n=m.n)
    return normal_figure(value, value * np.sqrt(_delta(m, np.append(-_log(p), 1.0))), m.n)


def _means(m: ClassMoments) -> tuple[np.ndarray, float]:
    mean = m.moments.state()["mean"]
    return mean[:-1], float(mean[-1])


def _delta(m: ClassMoments, gradient: np.ndarray) -> float:
    if m.n < 2:
        return 0.0
    return max(0.0, float(gradient @ m.moments.cov @ gradient)) / m.n


def _log(p: np.ndarray) -> np.ndarray:
    return np.log(p, out=np.zeros_like(p), where=p > 0)


def _plogp(p: np.ndarray) -> np.ndarray:
    return p * _log(p)

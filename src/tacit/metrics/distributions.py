"""Fréchet distance between two sets of features (FID), streamed, with its error and without its bias."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from scipy.linalg import eigh

from tacit.errors import InputError
from tacit.metrics import _check
from tacit.metrics.figure import Figure, normal_figure


class Moments:
    """Mean and covariance of rows, gathered batch by batch in float64; merging parts equals one pass.

    Attributes:
        n: rows seen. mean: (d,). scatter: (d, d), Σ (x − mean)(x − mean)ᵀ. cov: scatter / (n − 1).

    Source of the update: Chan, Golub & LeVeque 1979.

    >>> a, b = Moments().update([[0.0, 1.0], [2.0, 3.0]]), Moments().update([[4.0, 5.0]])
    >>> m = a.merge(b)
    >>> m.n, m.mean.tolist(), m.cov.tolist()
    (3, [2.0, 3.0], [[4.0, 4.0], [4.0, 4.0]])
    """

    def __init__(self, n: int = 0, mean: np.ndarray | None = None, scatter: np.ndarray | None = None):
        self.n, self.mean, self.scatter = n, mean, scatter

    def update(self, x: Any) -> Moments:
        """Add rows (b, d) or pictures (b, …), flattened; return self.

        Raises:
            InputError: not finite, empty, or of another width than before.
        """
        x = _check.rows(x, "features")
        mean = x.mean(0)
        centred = x - mean
        merged = self.merge(Moments(len(x), mean, centred.T @ centred))
        self.n, self.mean, self.scatter = merged.n, merged.mean, merged.scatter
        return self

    def merge(self, other: Moments) -> Moments:
        """The moments of both parts together, as a new object (parts of a stream, or ranks)."""
        if not self.n or not other.n:
            full = self if self.n else other
            return Moments(full.n, full.mean, full.scatter)
        a, b = _known(self), _known(other)
        if len(a[0]) != len(b[0]):
            raise InputError(
                f"features have {len(b[0])} columns after {len(a[0])}; expected the same number; use one "
                "extractor"
            )
        n = self.n + other.n
        delta = b[0] - a[0]
        scatter = a[1] + b[1] + np.outer(delta, delta) * (self.n * other.n / n)
        return Moments(n, a[0] + delta * (other.n / n), scatter)

    def over_ranks(self) -> Moments:
        """The moments of what all ranks saw, on every rank, as a new object; this one's where there is one.

        Two sums over ``torch.distributed``: Σ n·(1, mean), then Σ of the scatters about the common mean. A rank
        that saw no rows joins with ``Moments()`` and needs to know nothing.
        """
        if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
            return Moments(self.n, self.mean, self.scatter)
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"

        def total(x: np.ndarray, operation: Any = dist.ReduceOp.SUM) -> np.ndarray:
            t = torch.as_tensor(x, dtype=torch.float64, device=device).clone()
            dist.all_reduce(t, operation)
            return t.cpu().numpy()

        width = int(total(np.array(0 if self.mean is None else len(self.mean)), dist.ReduceOp.MAX))
        mean = np.zeros(width) if self.mean is None else self.mean
        scatter = np.zeros((width, width)) if self.scatter is None else self.scatter
        if len(mean) != width:
            mean, scatter = np.full(width, np.nan), np.full((width, width), np.nan)
        first = total(np.append(mean * self.n, self.n))
        n = round(float(first[-1])) if np.isfinite(first).all() else -1
        if n < 0:
            raise InputError(
                f"the ranks' features differ in width, the widest has {width}; expected the same; use one extractor"
            )
        common = first[:-1] / max(n, 1)
        apart = mean - common
        return Moments(n, common, total(scatter + self.n * np.outer(apart, apart)))

    @property
    def cov(self) -> np.ndarray:
        """Unbiased covariance (d, d)."""
        _check.enough(self.n, "features", 2)
        return _known(self)[1] / (self.n - 1)

    def state(self) -> dict[str, np.ndarray]:
        """Arrays from which ``Moments.from_state`` rebuilds this object (to store, or send between ranks)."""
        mean, scatter = _known(self)
        return {"n": np.array(self.n), "mean": mean, "scatter": scatter}

    @classmethod
    def from_state(cls, state: dict[str, np.ndarray]) -> Moments:
        """The inverse of ``state``."""
        return cls(int(state["n"]), np.asarray(state["mean"]), np.asarray(state["scatter"]))


def _known(m: Moments) -> tuple[np.ndarray, np.ndarray]:
    if m.mean is None or m.scatter is None:
        raise InputError("these moments have seen no rows; expected at least one batch; call update first")
    return m.mean, m.scatter


Sample = Any  # rows (n, d), Moments, or an exact (mean, covariance)


def frechet_distance(mean_a: np.ndarray, cov_a: np.ndarray, mean_b: np.ndarray, cov_b: np.ndarray) -> float:
    """Squared Fréchet (2-Wasserstein) distance of two Gaussians, ≥ 0, in squared units of the features:

        d² = |μ_a − μ_b|² + tr(C_a + C_b − 2 (C_a^½ C_b C_a^½)^½).

    Args:
        mean_a, mean_b: (d,). cov_a, cov_b: (d, d), symmetric, positive semi-definite; may be singular.

    Source: Dowson & Landau 1982.

    >>> import numpy as np
    >>> round(frechet_distance(np.zeros(2), np.eye(2), np.ones(2), 4 * np.eye(2)), 9)
    4.0
    """
    root, _ = _roots(cov_a)
    return _distance(mean_a, cov_a, mean_b, cov_b, root)


def fid(real: Sample, fake: Sample, *, error: bool = True) -> Figure:
    """Fréchet inception distance, ≥ 0, 0 when the Gaussians fitted to both sets of features are equal.

    FID = d²(N(μ_real, C_real), N(μ_fake, C_fake)), see ``frechet_distance``; covariances over n − 1.
    It has an upward bias of order 1/n: compare only figures with the same n, or use ``fid_unbiased``.

    Args:
        real, fake: features (n, d), or ``Moments`` gathered batch by batch, or exact ``(mean, cov)``.
        error: also find the standard error.

    Returns:
        The distance with the delta-method standard error of its sampling noise (not of its bias):
        √(Σ Var[ψ(x)]/n), ψ(x) = (x−μ)ᵀG(x−μ) + 2(μ−μ')ᵀ(x−μ), with G = I − T the gradient by the
        covariance and T the optimal map's matrix (Rippl, Munk & Sturm 2016, arXiv:1507.04090). Only sets
        given as features add to it; moments count as fixed, and without features it is None.

    Raises:
        InputError: fewer than two rows, NaN, or different widths.

    Source: Heusel et al. 2017, arXiv:1706.08500.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(500, 4))
    >>> abs(float(fid(x, x))) < 1e-9, round(float(fid(x, x + 1)), 6)
    (True, 4.0)
    """
    (mean_r, cov_r, n_r), (mean_f, cov_f, n_f) = _gaussian(real, "real"), _gaussian(fake, "fake")
    _same_width(mean_r, mean_f)
    root, inverse = _roots(cov_r)
    value = _distance(mean_r, cov_r, mean_f, cov_f, root)
    n = min(n_r or n_f or 0, n_f or n_r or 0) or None
    arrays = [not isinstance(s, Moments | tuple) for s in (real, fake)]
    if not error or not any(arrays):
        return Figure(value, n=n)
    s, u = eigh(root @ cov_f @ root)
    keep = s > max(s.max(), 0) * 1e-12
    s, u = np.sqrt(s[keep]), u[:, keep]
    towards = inverse @ (u * s) @ u.T @ inverse
    back = root @ (u / s) @ u.T @ root
    eye, delta, variance = np.eye(len(mean_r)), mean_r - mean_f, 0.0
    parts = ((real, mean_r, eye - towards, delta), (fake, mean_f, eye - back, -delta))
    for (data, mean, g, shift), is_array in zip(parts, arrays, strict=True):
        if is_array:
            x = _check.rows(data, "features") - mean
            variance += float(np.var(((x @ g) * x).sum(1) + 2 * x @ shift, ddof=1)) / len(x)
    return normal_figure(value, np.sqrt(variance), n or 0, low=0.0)


def fid_unbiased(
    real: Sample,
    fake: Any,
    *,
    extrapolate: str = "fake",
    points: int = 15,
    smallest: int | None = None,
    seed: _check.Seed = 0,
) -> Figure:
    """FID at infinitely many samples (FID_∞): the bias is nearly linear in 1/N, so it is fitted and removed.

    FID(N) is computed on random subsets of ``points`` sizes N, evenly spaced from ``smallest`` to n, and the
    line FID(N) = FID_∞ + c/N is fitted by least squares. May be slightly negative when both sets are alike.

    Args:
        real: features (n, d), ``Moments`` or an exact ``(mean, covariance)``: a fixed reference.
        fake: features (n, d), n ≥ 4 d.
        extrapolate: "fake" (the paper: bias against the given reference) or "both" (real rows subsampled at
            the same share, so the reference's own bias goes too; ``real`` must be rows).
        points: number of sizes, at least 3.
        smallest: least size; default the larger of n/10 and 2 d (below, the bias is not linear in 1/N).
        seed: of the subsets.

    Returns:
        The intercept; its standard error joins that of the fit and that of ``fid`` at full size.

    Source: Chong & Forsyth 2020, arXiv:1911.07023.
    """
    _check.choice(extrapolate, "extrapolate", ("fake", "both"))
    both = extrapolate == "both"
    x = _check.rows(fake, "fake", 2)
    n, d = x.shape
    if both and isinstance(real, Moments | tuple):
        raise InputError(
            "real is given as moments; extrapolating both needs its rows; pass features or extrapolate='fake'"
        )
    least = max(n // 10, 2 * d) if smallest is None else _check.whole(smallest, "smallest", 2)
    if n < 2 * least:
        raise InputError(
            f"fake has {n} rows of {d} features; the extrapolation expects at least {2 * least}; give "
            "more samples"
        )
    mean_r, cov_r, _ = _gaussian(real, "real")
    _same_width(mean_r, x[0])
    rng, root = _check.generator(seed), _roots(cov_r)[0]
    y = _check.rows(real, "real", 2) if both else None
    sizes = np.unique(np.linspace(least, n, _check.whole(points, "points", 3)).astype(int))
    values = []
    for size in sizes:
        if y is not None:
            part = Moments().update(y[rng.choice(len(y), max(2, round(len(y) * size / n)), replace=False)])
            mean_r, cov_r, _ = _gaussian(part, "real")
            root = _roots(cov_r)[0]
        m = Moments().update(x[rng.choice(n, size, replace=False)])
        values.append(_distance(mean_r, cov_r, _known(m)[0], m.cov, root))
    design = np.stack([np.ones(len(sizes)), 1 / sizes], 1)
    coef, *_ = np.linalg.lstsq(design, np.array(values), rcond=None)
    residual = np.array(values) - design @ coef
    fit = (residual @ residual) / max(1, len(sizes) - 2) * np.linalg.inv(design.T @ design)[0, 0]
    sampling = fid(real, x).se or 0.0
    return normal_figure(coef[0], np.sqrt(fit + sampling**2), n)


def _gaussian(sample: Sample, name: str) -> tuple[np.ndarray, np.ndarray, int | None]:
    if isinstance(sample, tuple) and len(sample) == 2:
        mean, cov = (_check.array(s, name).astype(np.float64) for s in sample)
        if mean.ndim != 1 or cov.shape != (len(mean), len(mean)):
            raise InputError(
                f"{name} has shapes {mean.shape} and {cov.shape}; expected (d,) and (d, d); give both moments"
            )
        return mean, cov, None
    if not isinstance(sample, Moments):
        sample = Moments().update(_check.rows(sample, name, 2))
    _check.enough(sample.n, name, 2)
    return _known(sample)[0], sample.cov, sample.n


def _same_width(a: np.ndarray, b: np.ndarray) -> None:
    if a.shape != b.shape:
        raise InputError(
            f"real has {len(a)} features and fake has {len(b)}; expected the same number; use one "
            "extractor for both"
        )


def _roots(cov: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """C^½ and its pseudo-inverse."""
    s, u = eigh((cov + cov.T) / 2)
    s = np.sqrt(np.where(s > max(s.max(), 0) * 1e-14, s, 0))
    inverse = np.divide(1, s, out=np.zeros_like(s), where=s > 0)
    return (u * s) @ u.T, (u * inverse) @ u.T


def _distance(
    mean_a: np.ndarray, cov_a: np.ndarray, mean_b: np.ndarray, cov_b: np.ndarray, root: np.ndarray
) -> float:
    product = root @ cov_b @ root
    s = eigh((product + product.T) / 2, eigvals_only=True)
    cross = np.sqrt(np.clip(s, 0, None)).sum()
    value = ((mean_a - mean_b) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * cross
    return float(max(value, 0.0))

"""Pictures, masks and flows against the truth, usefulness of features, and Parzen-window likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from skimage.metrics import structural_similarity
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tacit.errors import InputError
from tacit.metrics import _check
from tacit.metrics.figure import Figure, mean_figure

PICTURES = ("truth", "pictures")


def psnr(truth: Any, pictures: Any, *, data_range: float = 1.0) -> Figure:
    """Peak signal-to-noise ratio in dB, higher is better: mean of 10 log₁₀(R² / MSE_i) over pictures.

    Args:
        truth, pictures: (n, C, H, W), the same shape.
        data_range: R, the span of possible values (1 for [0, 1], 255 for bytes).

    Returns:
        The mean over pictures with its standard error; infinite, without error, when a picture is exact.

    >>> import numpy as np
    >>> round(float(psnr(np.zeros((1, 1, 2, 2)), np.full((1, 1, 2, 2), 0.1))), 6)
    20.0
    """
    a, b = _pictures(truth, pictures)
    error = ((a.astype(np.float64) - b) ** 2).reshape(len(a), -1).mean(1)
    if (error == 0).any():
        return Figure(float("inf"), n=len(a))
    return mean_figure(10 * np.log10(_check.positive(data_range, "data_range") ** 2 / error))


def ssim(truth: Any, pictures: Any, *, data_range: float = 1.0, gaussian: bool = False) -> Figure:
    """Structural similarity, in [−1, 1], 1 for equal pictures; scikit-image's, mean over pictures.

    SSIM(a, b) = (2 μ_a μ_b + c₁)(2 σ_ab + c₂) / ((μ_a² + μ_b² + c₁)(σ_a² + σ_b² + c₂)), averaged over windows
    and channels, c₁ = (0.01 R)², c₂ = (0.03 R)².

    Args:
        truth, pictures: (n, C, H, W), the same shape, sides of at least 3 pixels (11 with ``gaussian``).
        data_range: R, the span of possible values.
        gaussian: the paper's Gaussian window (σ 1.5 px, 11 px, population covariance) instead of the uniform
            one of 7 px (smaller on smaller pictures).

    Source: Wang, Bovik, Sheikh & Simoncelli 2004 (IEEE TIP 13).

    >>> import numpy as np
    >>> x = np.random.default_rng(0).random((2, 1, 8, 8))
    >>> float(ssim(x, x))
    1.0
    """
    a, b = _pictures(truth, pictures)
    side = min(a.shape[2:])
    if side < (11 if gaussian else 3):
        raise InputError(
            f"pictures are {a.shape[2]}×{a.shape[3]} px; SSIM needs sides of {11 if gaussian else 3}; "
            "enlarge them"
        )
    span = _check.positive(data_range, "data_range")
    options: dict[str, Any] = {"win_size": min(7, side - 1 + side % 2)}
    if gaussian:
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return mean_figure(
        np.array(
            [
                structural_similarity(p, q, channel_axis=0, data_range=span, **options)
                for p, q in zip(a, b, strict=True)
            ]
        )
    )


def sharpness(pictures: Any) -> Figure:
    """Variance of the Laplacian, ≥ 0, in squared units of the pictures; higher is sharper; needs no truth.

    Δ is the 5-point stencil (4 centre − 4 neighbours) inside the picture, per channel; mean over pictures.

    Args:
        pictures: (n, C, H, W), sides of at least 3 pixels.

    Source: Pech-Pacheco et al. 2000 (ICPR).

    >>> import numpy as np
    >>> float(sharpness(np.ones((2, 1, 5, 5))))
    0.0
    """
    x = _check.array(pictures, "pictures").astype(np.float64)
    if x.ndim != 4 or min(x.shape[2:]) < 3:
        raise InputError(
            f"pictures has shape {x.shape}; expected (n, C, H, W), sides of at least 3; reshape it"
        )
    inner = 4 * x[..., 1:-1, 1:-1]
    laplacian = inner - x[..., :-2, 1:-1] - x[..., 2:, 1:-1] - x[..., 1:-1, :-2] - x[..., 1:-1, 2:]
    return mean_figure(laplacian.reshape(*x.shape[:2], -1).var(2).mean(1))


def sharpness_difference(truth: Any, pictures: Any, *, data_range: float = 1.0) -> Figure:
    """Sharpness against the truth in dB, higher is better, mean over pictures:

        10 log₁₀(R² / mean |(|∂_i Y| + |∂_j Y|) − (|∂_i Ŷ| + |∂_j Ŷ|)|), backward differences ∂.

    Args: as ``psnr``; sides of at least 2. Source: Mathieu, Couprie & LeCun 2016, arXiv:1511.05440, eq. 15.
    """
    a, b = (_slope(p) for p in _pictures(truth, pictures))
    error = np.abs(a - b).reshape(len(a), -1).mean(1)
    if (error == 0).any():
        return Figure(float("inf"), n=len(a))
    return mean_figure(10 * np.log10(_check.positive(data_range, "data_range") ** 2 / error))


def iou(truth: Any, masks: Any, *, threshold: float = 0.5) -> Figure:
    """Intersection over union, in [0, 1], mean over items: |A ∩ B| / |A ∪ B|; 1 when both are empty.

    Args:
        truth, masks: masks, voxels or occupancies (n, …), the same shape; values above ``threshold`` are
            inside.

    >>> float(iou([[1, 1, 0]], [[0, 1, 1]]))
    0.3333333333333333
    """
    a, b = (p.reshape(len(p), -1) > threshold for p in _check.alike(truth, masks, ("truth", "masks")))
    union = (a | b).sum(1)
    return mean_figure(np.where(union > 0, (a & b).sum(1) / np.maximum(union, 1), 1.0), 0.0, 1.0)


def epe(truth: Any, flow: Any, *, valid: Any = None) -> Figure:
    """End-point error of optical flow in pixels, ≥ 0: mean over pixels of |(u, v) − (û, v̂)|.

    Args:
        truth, flow: (n, 2, H, W), pixels a frame.
        valid: masks (n, H, W), True where the truth is known; every item needs one such pixel.

    Returns:
        The mean over items of their mean over valid pixels, with the standard error over items.

    Source: Baker et al. 2011 (IJCV 92).

    >>> import numpy as np
    >>> t = np.zeros((1, 2, 4, 4)); f = t.copy(); f[:, 0], f[:, 1] = 3, 4
    >>> float(epe(t, f))
    5.0
    """
    a, b = _check.alike(truth, flow, ("truth", "flow"))
    if a.ndim != 4 or a.shape[1] != 2:
        raise InputError(
            f"flow has shape {a.shape}; expected (n, 2, H, W) in pixels; put the two components second"
        )
    error = np.sqrt(((a.astype(np.float64) - b) ** 2).sum(1))
    if valid is None:
        return mean_figure(error.reshape(len(a), -1).mean(1))
    known = _check.array(valid, "valid") > 0
    if known.shape != error.shape:
        raise InputError(
            f"valid has shape {known.shape}; expected {error.shape}, one flag a pixel; reshape it"
        )
    pixels = known.sum((1, 2))
    if (pixels == 0).any():
        raise InputError(
            f"{int((pixels == 0).sum())} items have no valid pixel; expected at least one; leave them out"
        )
    return mean_figure((error * known).sum((1, 2)) / pixels)


def linear_probe(x: Any, y: Any, x_test: Any, y_test: Any, *, c: float = 1.0, max_iter: int = 1000) -> Figure:
    """Test accuracy, in [0, 1], of a logistic regression (scikit-learn's) on standardised features.

    Args:
        x, y: training features (n, …), flattened, and labels (n,); −1 is left out.
        x_test, y_test: the same for testing.
        c: inverse strength of the ridge penalty. max_iter: of L-BFGS.

    Returns:
        The accuracy with its binomial standard error over test rows.

    Source: Alain & Bengio 2017, arXiv:1610.01644.
    """
    model = LogisticRegression(C=_check.positive(c, "c"), max_iter=_check.whole(max_iter, "max_iter", 1))
    return _accuracy(make_pipeline(StandardScaler(), model), x, y, x_test, y_test)


def nearest_neighbour(x: Any, y: Any, x_test: Any, y_test: Any, *, k: int = 1) -> Figure:
    """Test accuracy, in [0, 1], of the k nearest training rows (scikit-learn's; 1-NN by default), Euclidean.

    Args: as ``linear_probe``; features are taken as they are, not standardised. Source: Cover & Hart 1967.

    >>> float(nearest_neighbour([[0.0], [1.0]], [0, 1], [[0.2], [0.9]], [0, 1]))
    1.0
    """
    return _accuracy(KNeighborsClassifier(_check.whole(k, "k", 1)), x, y, x_test, y_test)


def parzen(samples: Any, test: Any, *, bandwidth: float | None = None, validation: Any = None) -> Figure:
    """Mean Parzen-window log-likelihood of test rows in nats, any real number:

        log p̂(x) = log mean_s N(x; s, σ² I).

    WARNING: in many dimensions this is no measure of a generative model. Even 10⁷ samples are far from the
    model's true likelihood, the order of models is not kept, and k-means centroids beat samples of the data's
    own distribution (Theis, van den Oord & Bethge 2016, arXiv:1511.01844). It is here for old tables.

    Args:
        samples: generated rows (n, …), flattened. test: real rows (m, …).
        bandwidth: σ. Without it, the best for ``validation`` of 20 values, log-spaced over [0.01, 1] times
            the samples' root mean variance times √d.
        validation: real rows (v, …) for choosing σ, not those of ``test``.

    Returns:
        The mean with its standard error over test rows.

    Source: Breuleux, Bengio & Vincent 2011; Goodfellow et al. 2014, arXiv:1406.2661.

    >>> round(float(parzen([[0.0]], [[0.0]], bandwidth=1.0)), 6)        # −½ log 2π
    -0.918939
    """
    s, x = _check.pair(samples, test, ("samples", "test"))
    if bandwidth is None:
        if validation is None:
            raise InputError(
                "neither bandwidth nor validation is given; expected one; pass σ or rows to choose it by"
            )
        _, v = _check.pair(s, validation, ("samples", "validation"))
        spread = float(np.sqrt(s.var(0).sum())) or 1.0
        grid = spread * np.logspace(-2, 0, 20)
        bandwidth = float(grid[np.argmax([_window(s, v, sigma).mean() for sigma in grid])])
    return mean_figure(_window(s, x, _check.positive(bandwidth, "bandwidth")))


def _window(s: np.ndarray, x: np.ndarray, sigma: float) -> np.ndarray:
    out = np.empty(len(x))
    for i in _check.strips(len(x), len(s)):
        out[i] = logsumexp(cdist(x[i], s, "sqeuclidean") / (-2 * sigma**2), axis=1)
    return out - np.log(len(s)) - s.shape[1] / 2 * np.log(2 * np.pi * sigma**2)


def _pictures(truth: Any, pictures: Any) -> tuple[np.ndarray, np.ndarray]:
    a, b = _check.alike(truth, pictures, PICTURES)
    if a.ndim != 4:
        raise InputError(f"pictures has shape {a.shape}; expected (n, C, H, W); reshape it")
    return a, b


def _slope(x: np.ndarray) -> np.ndarray:
    if min(x.shape[2:]) < 2:
        raise InputError(
            f"pictures are {x.shape[2]}×{x.shape[3]} px; expected sides of at least 2; enlarge them"
        )
    x = x.astype(np.float64)
    return np.abs(x[..., 1:, 1:] - x[..., :-1, 1:]) + np.abs(x[..., 1:, 1:] - x[..., 1:, :-1])


def _accuracy(model: Any, x: Any, y: Any, x_test: Any, y_test: Any) -> Figure:
    (a, b), labels = _check.pair(x, x_test, ("x", "x_test")), []
    rows = []
    for data, mark, name in ((a, y, "y"), (b, y_test, "y_test")):
        mark = _check.labels(mark, name)
        if len(mark) != len(data):
            raise InputError(
                f"{name} has {len(mark)} labels for {len(data)} rows; expected one a row; align them"
            )
        known = mark != -1 if mark.dtype.kind == "i" else np.ones(len(mark), dtype=bool)
        if not known.any():
            raise InputError(f"every label in {name} is -1 (unknown); expected known labels; give some")
        rows.append(data[known])
        labels.append(mark[known])
    if len(np.unique(labels[0])) < 2:
        raise InputError("y holds one class only; expected at least two; give rows of more classes")
    if len(rows[0]) < getattr(model, "n_neighbors", 1):
        raise InputError(f"x has {len(rows[0])} labelled rows; expected at least k; give more or lower k")
    return mean_figure(model.fit(rows[0], labels[0]).predict(rows[1]) == labels[1], 0.0, 1.0)

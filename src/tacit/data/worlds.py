"""Data whose truth is known exactly, made on the spot with no download."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tacit.data.layout import Layout
from tacit.data.source import ArraySource, Source
from tacit.errors import InputError, suggest

NAMES = ("digits", "ring8", "grid25", "biased", "mixture4", "moons", "circles", "stacked")


def modes(name: str) -> tuple[np.ndarray, float]:
    """Means (k, 2) and the standard deviation of the Gaussians of ``ring8``, ``ring8:1`` or ``grid25``.

    ``ring8`` has radius 2 and deviation 0.02 (Metz et al. 2017, arXiv:1611.02163), ``ring8:1`` radius 1 and
    0.01; ``grid25`` has means {-4, -2, 0, 2, 4}² and deviation 0.05 (Srivastava et al. 2017,
    arXiv:1705.07761). Mean k belongs to label k.

    >>> means, sd = modes("ring8")
    >>> means.shape, sd
    ((8, 2), 0.02)

    Raises:
        InputError: the world has no such modes.
    """
    base, option = _split(name)
    if base == "ring8":
        radius = _number(name, option, 2.0)
        angle = 2 * np.pi * np.arange(8) / 8
        return radius * np.stack([np.cos(angle), np.sin(angle)], 1), radius / 100
    if base == "grid25" and option is None:
        line = np.array([-4.0, -2.0, 0.0, 2.0, 4.0])
        return np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2), 0.05
    known = ("ring8", "ring8:1", "grid25")
    raise InputError(f"'{name}' has no Gaussian modes; expected one of {', '.join(known)}")


class Mixture(NamedTuple):
    """Weights (k,), means (k, 2) and standard deviations along both axes (k, 2) of Gaussians."""

    weights: np.ndarray
    means: np.ndarray
    deviations: np.ndarray


def mixture(name: str) -> Mixture:
    """The mixture that ``ring8``, ``ring8:1``, ``grid25``, ``biased`` or ``mixture4`` is drawn from.

    ``biased`` has a tenth of its rows around (3.5, 3.5) and the rest around (-3.5, -3.5), variance 5; ``mixture4`` has four
    overlapping Gaussians of different widths in equal parts (Dai et al. 2017, arXiv:1702.01691, rounded).

    >>> mixture("biased").weights.tolist()
    [0.1, 0.9]

    Raises:
        InputError: the world is no mixture of Gaussians.
    """
    if name == "biased":
        return Mixture(np.array([0.1, 0.9]), np.array([[3.5, 3.5], [-3.5, -3.5]]), np.full((2, 2), math.sqrt(5.0)))
    if name == "mixture4":
        means = 2.2 * np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
        return Mixture(np.full(4, 0.25), means, np.sqrt([[1.9, 0.8], [5.7, 6.3], [2.7, 0.5], [9.9, 5.8]]))
    means, sd = modes(name)
    return Mixture(np.full(len(means), 1 / len(means)), means, np.full(means.shape, sd))


def log_density(name: str, x: np.ndarray) -> np.ndarray:
    """log p(x) of a world that is a mixture of Gaussians, nats, (n,), for points (n, 2).

    >>> round(float(log_density("ring8", np.array([[2.0, 0.0]]))[0]), 4)
    3.9067

    Raises:
        InputError: the world is no mixture of Gaussians.
    """
    weights, means, deviations = mixture(name)
    off = (np.asarray(x, np.float64)[:, None] - means) / deviations
    parts = np.log(weights) - np.log(2 * np.pi * deviations.prod(1)) - 0.5 * np.square(off).sum(2)
    return np.asarray(np.logaddexp.reduce(parts, 1))


def gaussians(name: str, n: int = 100_000, seed: int = 0) -> Source:
    """``n`` points of ``ring8``, ``ring8:1``, ``grid25``, ``biased`` or ``mixture4``, float32 (n, 2), the mode as label.

    >>> gaussians("grid25", 1000).shape
    (2,)
    """
    weights, means, deviations = mixture(name)
    rng = np.random.default_rng(seed)
    even = np.ptp(weights) == 0
    y = rng.integers(len(means), size=n) if even else rng.choice(len(means), size=n, p=weights)
    return _points(name, means[y] + deviations[y] * rng.standard_normal((n, 2)), y)


def moons(n: int = 10_000, seed: int = 0, noise: float = 0.05) -> Source:
    """Two interleaved half circles, float32 (n, 2), the half as label (scikit-learn's ``make_moons``)."""
    from sklearn.datasets import make_moons

    return _points("moons", *make_moons(n, noise=noise, random_state=seed))


def circles(n: int = 10_000, seed: int = 0, noise: float = 0.05, factor: float = 0.5) -> Source:
    """Two circles, one inside the other, float32 (n, 2), label 0 outside and 1 inside."""
    from sklearn.datasets import make_circles

    return _points("circles", *make_circles(n, noise=noise, random_state=seed, factor=factor))


def digits() -> Source:
    """1,797 handwritten digits, 8 × 8, values 0 … 16, that ship inside scikit-learn: shape (1, 8, 8)."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return ArraySource(
        found.images.astype(np.float32),
        Layout((8, 8), (8, 8), "add"),
        "image",
        labels=found.target.astype(np.int64),
        class_names=[str(k) for k in range(10)],
        name="digits",
    )


class Stacked(Source):
    """Three random grey pictures as red, green and blue; put together when a batch asks for them."""

    def __init__(self, base: Source, n: int = 128_000, seed: int = 0):
        if base.labels is None or base.shape[0] != 1 or base.kind != "image" or base.labels.min() < 0:
            raise InputError(f"stacked needs labelled grey pictures but got {base!r}; give a folder of MNIST")
        if base.labels.max() != 9:
            raise InputError(f"stacked needs ten classes but {base.name} has {base.labels.max() + 1}")
        self.pick = np.random.default_rng(seed).integers(base.n, size=(n, 3))
        labels = base.labels[self.pick] @ np.array([100, 10, 1])
        view = (*base.shape[1:], 3)
        super().__init__(
            n, Layout(view, view, "last"), "image", base.dtype, labels=labels, name="stacked",
            class_names=[f"{k:03d}" for k in range(1000)],
        )  # fmt: skip
        self.base = base.read(0, base.n)[:, 0]

    def read(self, start: int, stop: int) -> np.ndarray:
        return self.base[self.pick[start:stop]]

    def take(self, index: Any) -> np.ndarray:
        return self.base[self.pick[self._rows(index)]]


def stacked(base: Source, n: int = 128_000, seed: int = 0) -> Source:
    """Stacked MNIST: (3, 28, 28), label 100 r + 10 g + b: 1,000 modes (Metz et al. 2017, arXiv:1611.02163).

    ``base`` is MNIST (or ten classes of grey pictures of any size); ``n`` triples are drawn with ``seed``.

    Raises:
        InputError: ``base`` is not labelled grey pictures of ten classes.
    """
    return Stacked(base, n, seed)


def make(name: str, n: int | None = None, seed: int = 0, base: Source | None = None) -> Source:
    """The world called ``name``; ``n`` rows where the world can have any number.

    >>> make("ring8:1", 500).n
    500

    Raises:
        InputError: there is no such world.
    """
    word, option = _split(name)
    size = {} if n is None else {"n": int(n)}
    if word in ("ring8", "grid25", "biased", "mixture4"):
        return gaussians(name, seed=seed, **size)
    plain: dict[str, Callable[..., Source]] = {"moons": moons, "circles": circles}
    if word in plain and option is None:
        return plain[word](seed=seed, **size)
    if word == "digits" and option is None:
        return digits()
    if word == "stacked":
        if base is None:
            raise InputError("stacked is made from MNIST; give the folder, as in 'stacked:path/to/mnist'")
        return stacked(base, seed=seed, **size)
    raise InputError(
        f"there is no data called '{name}'; expected one of {', '.join(NAMES)}{suggest(name, NAMES)}"
    )


def _points(name: str, x: np.ndarray, y: np.ndarray) -> Source:
    y = np.asarray(y, np.int64)
    names = [str(k) for k in range(int(y.max()) + 1)]
    return ArraySource(
        x.astype(np.float32), Layout((2,), (2,)), "vector", labels=y, class_names=names,
        feature_names=["x", "y"], name=name,
    )  # fmt: skip


def _split(name: str) -> tuple[str, str | None]:
    word, colon, option = name.partition(":")
    return word, option if colon else None


def _number(name: str, text: str | None, default: float) -> float:
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"'{name}' asks for radius '{text}'; expected a positive number, as in 'ring8:1'")
    return value

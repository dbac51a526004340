"""What every measure asks of its input, each refusal in one sentence."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import torch

from tacit.errors import InputError, suggest

Seed = int | np.random.Generator


def array(x: Any, name: str) -> np.ndarray:
    """x as a finite, non-empty float array (float32 stays float32, everything else becomes float64)."""
    if isinstance(x, torch.Tensor):
        x = x.detach().cpu()
        x = (x.float() if x.dtype in (torch.bfloat16, torch.float16) else x).numpy()
    try:
        x = np.asarray(x)
        x = x if x.dtype in (np.float32, np.float64) else x.astype(np.float64)
    except (TypeError, ValueError) as e:
        raise InputError(
            f"{name} holds values that are not numbers; expected an array of numbers; convert it"
        ) from e
    if x.size == 0:
        raise InputError(f"{name} is empty, shape {x.shape}; expected at least one row; give some data")
    if not np.isfinite(x).all():
        bad = int((~np.isfinite(x)).sum())
        raise InputError(
            f"{name} holds {bad} NaN or infinite values; expected finite numbers; remove or impute them"
        )
    return x


def rows(x: Any, name: str, at_least: int = 1) -> np.ndarray:
    """x as float64 rows (n, d): pictures are flattened, a vector (n,) becomes (n, 1)."""
    x = array(x, name).astype(np.float64, copy=False)
    if x.ndim == 0:
        raise InputError(f"{name} is a single number; expected rows of shape (n, d); give an array")
    enough(len(x), name, at_least)
    return x.reshape(len(x), -1)


def enough(n: int, name: str, at_least: int) -> None:
    """Refuse too few rows."""
    if n < at_least:
        raise InputError(f"{name} has {n} rows; expected at least {at_least}; give more samples")


def pair(x: Any, y: Any, names: tuple[str, str], at_least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of rows of the same width."""
    a, b = rows(x, names[0], at_least), rows(y, names[1], at_least)
    if a.shape[1] != b.shape[1]:
        raise InputError(
            f"{names[0]} has {a.shape[1]} columns and {names[1]} has {b.shape[1]}; expected the same number; "
            "extract both with the same features"
        )
    return a, b


def alike(x: Any, y: Any, names: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays of exactly the same shape."""
    a, b = array(x, names[0]), array(y, names[1])
    if a.shape != b.shape:
        raise InputError(
            f"{names[0]} has shape {a.shape} and {names[1]} has shape {b.shape}; expected the same shape; "
            "compare row with row"
        )
    return a, b


def labels(y: Any, name: str) -> np.ndarray:
    """y as one label a row: integers, whole floats, booleans or strings, shape (n,)."""
    y = y.detach().cpu().numpy() if isinstance(y, torch.Tensor) else np.asarray(y)
    if y.ndim != 1:
        raise InputError(
            f"{name} has shape {y.shape}; expected one label a row, shape (n,); flatten or argmax it"
        )
    if len(y) == 0:
        raise InputError(f"{name} is empty; expected at least one label; give some data")
    if y.dtype.kind == "f":
        if not np.isfinite(y).all() or (y != np.round(y)).any():
            raise InputError(
                f"{name} holds NaN or fractions; expected whole numbers, -1 for unknown; round it first"
            )
        y = y.astype(np.int64)
    if y.dtype.kind not in "iubUS":
        raise InputError(
            f"{name} holds {y.dtype} values; expected whole numbers or strings; convert it first"
        )
    return y


def probabilities(p: Any, name: str, at_least: int = 1) -> np.ndarray:
    """p as class probabilities (n, k): non-negative, rows summing to 1 within 1e-3 (then renormalised)."""
    p = array(p, name).astype(np.float64, copy=False)
    if p.ndim != 2:
        raise InputError(
            f"{name} has shape {p.shape}; expected probabilities (n, classes); give one row a sample"
        )
    enough(len(p), name, at_least)
    total = p.sum(1, keepdims=True)
    if p.min() < 0 or np.abs(total - 1).max() > 1e-3:
        raise InputError(
            f"{name} has rows from {p.min():.3g} summing to {total.min():.3g}..{total.max():.3g}; expected "
            "probabilities that sum to 1; apply softmax to logits first"
        )
    return p / total


def whole(value: Any, name: str, at_least: int) -> int:
    """A whole number that is not too small."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < at_least:
        raise InputError(f"{name} is {value!r}; expected a whole number of at least {at_least}; change it")
    return int(value)


def positive(value: Any, name: str) -> float:
    """A finite number above zero."""
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else np.nan
    if not 0 < number < np.inf:
        raise InputError(f"{name} is {value!r}; expected a number above 0; change it")
    return number


def choice(value: Any, name: str, choices: tuple[str, ...]) -> str:
    """One of several words."""
    if value not in choices:
        raise InputError(
            f"{name} is {value!r}; expected one of {', '.join(choices)}{suggest(str(value), choices)}"
        )
    return str(value)


def generator(seed: Seed) -> np.random.Generator:
    """A NumPy generator from a seed or itself; never the global one."""
    return seed if isinstance(seed, np.random.Generator) else np.random.default_rng(whole(seed, "seed", 0))


def torch_generator(seed: int) -> torch.Generator:
    """A torch generator of its own."""
    return torch.Generator().manual_seed(whole(seed, "seed", 0))


def strips(n: int, width: int, memory_mb: float = 256.0) -> list[slice]:
    """Slices of range(n) such that a float64 strip (len, width) takes about memory_mb at most."""
    step = max(1, int(memory_mb * 2**20 / (8 * max(1, width))))
    return [slice(i, min(i + step, n)) for i in range(0, n, step)]

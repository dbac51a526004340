"""What all tests share: one thread, small data, helpers that compare models."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch

torch.set_num_threads(1)

HERE = Path(__file__).parent
SRC = HERE.parent / "src"


@pytest.fixture
def vectors() -> np.ndarray:
    """48 rows of 6 columns in 3 groups, float32."""
    return make_vectors()


@pytest.fixture
def pictures() -> np.ndarray:
    """48 pictures of 8×8 px in [0, 1], float32, (48, 1, 8, 8)."""
    return make_pictures()


def make_vectors(n: int = 48, d: int = 6, k: int = 3, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    means = 3.0 * np.random.default_rng(99).normal(size=(k, d))
    return (means[np.arange(n) % k] + rng.normal(size=(n, d))).astype(np.float32)


def make_pictures(n: int = 48, side: int = 8, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    bars = np.zeros((n, 1, side, side), np.float32)
    for i in range(n):
        bars[i, 0, (i % 4) * (side // 4) : (i % 4 + 1) * (side // 4)] = 0.8
    return np.clip(bars + 0.1 * rng.random(bars.shape), 0, 1).astype(np.float32)


def python(code: str, *args: str, env: dict[str, str] | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh interpreter, with one thread."""
    return subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=timeout, env=environment(**(env or {}))
    )


def environment(**more: str) -> dict[str, str]:
    paths = [str(SRC), str(HERE), str(HERE / "contracts"), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(p for p in paths if p)
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", **more}

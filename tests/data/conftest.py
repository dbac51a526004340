"""Made files that stand for what people have."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from support import write_idx


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def mnist(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A folder named and laid out as MNIST's, with 30 + 20 pictures."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    for split, n in (("train", 30), ("t10k", 20)):
        write_idx(folder / f"{split}-images-idx3-ubyte.gz", rng.integers(0, 256, (n, 28, 28), np.uint8))
        write_idx(folder / f"{split}-labels-idx1-ubyte.gz", np.arange(n, dtype=np.uint8) % 10)
    return folder


@pytest.fixture
def real() -> Path:
    """The folder of real data that the person testing names; tests on it skip where it is not named."""
    folder = os.environ.get("TACIT_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("set TACIT_DATA to the folder that holds mnist/, cifar10/, usps/, jsb/ and cells/")
    return Path(folder)

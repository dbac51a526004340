"""What all tests share: one thread, small data."""

from __future__ import annotations

import os
from collections.abc import Iterator

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch

from support import make_pictures, make_vectors

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Every test begins and ends with one thread: float32 sums differ with their number, and bit-exact tests would by the order."""
    assert torch.get_num_threads() == 1
    yield
    left = torch.get_num_threads()
    torch.set_num_threads(1)
    assert left == 1, f"this test left PyTorch with {left} threads"


@pytest.fixture
def vectors() -> np.ndarray:
    """48 rows of 6 columns in 3 groups, float32."""
    return make_vectors()


@pytest.fixture
def pictures() -> np.ndarray:
    """48 pictures of 8×8 px in [0, 1], float32, (48, 1, 8, 8)."""
    return make_pictures()

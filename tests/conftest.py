"""What all tests share: one thread, small data."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch

from support import make_pictures, make_vectors

torch.set_num_threads(1)


@pytest.fixture
def vectors() -> np.ndarray:
    """48 rows of 6 columns in 3 groups, float32."""
    return make_vectors()


@pytest.fixture
def pictures() -> np.ndarray:
    """48 pictures of 8×8 px in [0, 1], float32, (48, 1, 8, 8)."""
    return make_pictures()

"""Inference via optimisation on generators whose reach is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tacit
from tacit.metrics.inference import ivom


def normal(d: int):
    generator = torch.Generator().manual_seed(0)
    return lambda n: torch.randn(n, d, generator=generator)


def test_the_error_is_the_distance_to_a_linear_generators_reach():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(2, 5))
    x = rng.normal(size=(12, 5))
    q, _ = np.linalg.qr(a.T)
    want = np.square(x - x @ q @ q.T).mean(1)
    error, z = ivom(lambda z: z @ torch.tensor(a).float(), x, normal(2), steps=400)
    assert float(error) == pytest.approx(want.mean(), rel=1e-3)
    assert error.se == pytest.approx(want.std(ddof=1) / np.sqrt(12), rel=1e-2)
    np.testing.assert_allclose(z @ a, x @ q @ q.T, atol=0.02)


def test_a_generator_that_lacks_a_mode_is_far_from_its_rows():
    def one_side(z: torch.Tensor) -> torch.Tensor:
        return z.square()

    near, _ = ivom(one_side, [[0.5], [1.5]], normal(1))
    far, _ = ivom(one_side, [[0.5], [-1.0]], normal(1))
    assert float(near) < 1e-4 and float(far) == pytest.approx(0.5, rel=1e-3)


def test_more_starts_are_never_worse():
    def folded(z: torch.Tensor) -> torch.Tensor:
        return torch.sin(3 * z) + 0.3 * z

    x = np.linspace(-1.5, 1.5, 20)[:, None]
    few, many = (float(ivom(folded, x, normal(1), starts=k, steps=60)[0]) for k in (1, 8))
    assert many <= few + 1e-6


@pytest.mark.parametrize(("x", "options"), [([[np.nan]], {}), ([], {}), ([[1.0]], {"starts": 0}), ([[1.0]], {"steps": 0})])
def test_nonsense_is_refused(x, options):
    with pytest.raises(tacit.InputError, match="expected"):
        ivom(lambda z: z, x, normal(1), **options)

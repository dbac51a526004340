"""The dual of a logistic program: against the primal, against closed forms, within its box and its trust region."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.nn.functional import softplus

from tacit.uses.dual import logistic_dual


def program(m: int, k: int, scale: float, offset: float) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(m + k)
    a, b, w = (torch.randn(s, generator=g, dtype=torch.float64) for s in ((m, k), (m,), (k,)))
    return scale * a + 0.3, offset * b, 0.1 * offset * w


def primal(s: Tensor, a: Tensor, b: Tensor, w: Tensor, c: float) -> Tensor:
    return 0.5 * c * (w + s).square().sum() + softplus(-b - a @ s).mean()


@pytest.mark.parametrize(("m", "k", "scale", "c", "offset"), [
    (32, 5, 1.0, 0.1, 0.0), (32, 5, 1.0, 1e-3, 0.0), (96, 200, 5.0, 1e-4, 0.0), (32, 5, 1.0, 1e-2, 3.0), (24, 60, 30.0, 1e-5, 0.0),
])  # fmt: skip
def test_no_gap_between_dual_and_primal(m, k, scale, c, offset):
    a, b, w = program(m, k, scale, offset)
    best = logistic_dual(a, b, w, c=c)
    assert best.weights.min() >= 0 and best.weights.max() <= 1 / m and best.stiffness == c and best.steps < 60
    s = (best.weights @ a - c * w) / c
    assert primal(s, a, b, w, c).item() == pytest.approx(best.value.item(), abs=1e-9)

    def f(t: np.ndarray) -> tuple[float, np.ndarray]:
        v = torch.from_numpy(t).requires_grad_()
        value = primal(v, a, b, w, c)
        value.backward()
        return value.item(), v.grad.numpy()

    found = minimize(f, np.zeros(k), jac=True, method="L-BFGS-B", options={"maxiter": 5000, "maxfun": 10000, "ftol": 1e-15, "gtol": 1e-9})
    assert best.value.item() == pytest.approx(found.fun, abs=1e-6)
    # KKT: mλ_i = σ(−margin_i).
    torch.testing.assert_close(m * best.weights, torch.sigmoid(-b - a @ s), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("radius", [1e-4, 0.01, 1.0, 1e4])
def test_the_trust_region_binds_where_the_step_would_leave_it(radius):
    a, b, w = program(40, 60, 1.0, 1.0)
    free = logistic_dual(a, b, w, c=0.01)
    best = logistic_dual(a, b, w, c=0.01, radius=radius)
    s = (best.weights @ a - 0.01 * w) / best.stiffness
    half = 0.5 * s.square().sum().item()
    far = 0.5 * ((free.weights @ a - 0.01 * w) / 0.01).square().sum().item()
    assert half == pytest.approx(min(radius, far), rel=1e-6)
    assert (best.stiffness > 0.01) == (far > radius)
    assert primal(s, a, b, w, 0.01).item() == pytest.approx(best.value.item(), abs=1e-9)
    assert best.value >= free.value - 1e-12
    for _ in range(20):
        other = torch.randn(60, generator=torch.Generator().manual_seed(_), dtype=torch.float64)
        other *= s.norm() / other.norm()
        assert primal(other, a, b, w, 0.01) >= best.value


def test_one_row_has_a_closed_form():
    """min_s C/2·s² + log(1 + e^(−as)) has s = aλ/C with λ = σ(−as)."""
    a, c = 1.7, 0.2
    best = logistic_dual(torch.tensor([[a]], dtype=torch.float64), c=c)
    lam = best.weights.item()
    s = lam * a / c
    assert lam == pytest.approx(1 / (1 + math.exp(a * s)), rel=1e-9)
    assert best.entropy.item() == pytest.approx(-lam * math.log(lam) - (1 - lam) * math.log(1 - lam), rel=1e-9)
    assert best.value.item() == pytest.approx(c / 2 * s * s + math.log1p(math.exp(-a * s)), rel=1e-9)


def test_equal_halves_leave_nothing_to_tell_apart():
    x = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    best = logistic_dual(torch.cat([x, -x]), c=1e-3)
    torch.testing.assert_close(best.weights, torch.full((18,), 1 / 36).double())
    assert best.value.item() == pytest.approx(math.log(2), abs=1e-12)


def test_rows_that_are_told_apart_by_far_do_not_overflow():
    a = 1e4 * torch.ones(6, 2)
    best = logistic_dual(a, c=1e-6)
    assert torch.isfinite(best.weights).all() and best.weights.dtype == torch.float32
    s = best.weights @ a / 1e-6
    value = primal(s.double(), a.double(), torch.zeros(6).double(), torch.zeros(2).double(), 1e-6)
    assert value.item() == pytest.approx(best.value.item(), abs=1e-6)

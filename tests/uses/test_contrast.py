"""The contrastive loss against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch

from tacit.uses.contrast import contrastive

ZERO = torch.zeros(2, 2)


def test_hand_values():
    near = torch.tensor([[3.0, 4.0], [0.1, 0.0]])
    far = torch.tensor([[0.6, 0.8], [3.0, 4.0]])
    alike, unlike = contrastive(ZERO, near, far, inner=1.0, outer=3.0)
    assert alike.item() == pytest.approx((5 - 1) ** 2 / 2, rel=1e-5)
    assert unlike.item() == pytest.approx((3 - 1) ** 2 / 2, rel=1e-5)


def test_no_charge_inside_the_inner_and_outside_the_outer_margin():
    a = torch.zeros(1, 2, requires_grad=True)
    alike, unlike = contrastive(a, torch.tensor([[0.3, 0.4]]), torch.tensor([[3.0, 4.0]]), inner=0.6, outer=4.9)
    assert alike.item() == unlike.item() == 0
    assert torch.autograd.grad(alike + unlike, a)[0].abs().sum() == 0


def test_gradients_pull_the_near_and_push_the_far_and_are_finite_where_they_meet():
    a = torch.zeros(1, 2, requires_grad=True)
    alike, unlike = contrastive(a, torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 0.5]]), 0.5, 1.0)
    assert torch.allclose(torch.autograd.grad(alike, a)[0], torch.tensor([[-3.0, 0.0]]))
    assert torch.allclose(torch.autograd.grad(unlike, a)[0], torch.tensor([[0.0, 1.0]]))
    met = sum(contrastive(a, ZERO[:1], ZERO[:1], 0.0, 1.0))
    assert torch.isfinite(torch.autograd.grad(met, a)[0]).all()


def test_gradient_is_that_of_finite_differences_and_float32_inside_autocast():
    g = torch.Generator().manual_seed(0)
    points = [torch.randn(5, 3, generator=g, dtype=torch.float64).requires_grad_(True) for _ in range(3)]
    assert torch.autograd.gradcheck(lambda a, b, c: contrastive(a, b, c, 0.05, 3.0), points)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert all(v.dtype == torch.float32 for v in contrastive(ZERO.bfloat16(), ZERO, ZERO, 0.1, 1.0))

"""Objectives on distributions over a few points, where the best discriminator and the game's value are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

import tacit
from densities import FAKE, REAL, best, p, q
from tacit.core import names
from tacit.core.part import get


def kl(a: Tensor, b: Tensor) -> float:
    return float((a * (a / b).log()).sum())


@pytest.mark.parametrize("objective", [tacit.Minimax(), tacit.NonSaturating()])
def test_the_best_discriminator_and_the_value_of_the_original_game(objective):
    d = best(objective)
    torch.testing.assert_close(torch.sigmoid(d), p / (p + q), rtol=1e-5, atol=1e-6)
    jsd = 0.5 * kl(p, (p + q) / 2) + 0.5 * kl(q, (p + q) / 2)
    assert -objective.critic(d[REAL], d[FAKE], {}).item() == pytest.approx(-math.log(4) + 2 * jsd, abs=1e-8)


@pytest.mark.parametrize("objective", [tacit.Minimax, tacit.NonSaturating])
@pytest.mark.parametrize("s", [0.1, 0.4])
def test_smoothing_one_side_scales_the_best_discriminator(objective, s):
    d = best(objective(smoothing=s))
    D = torch.sigmoid(d)
    torch.testing.assert_close(D, (1 - s) * p / (p + q), rtol=1e-5, atol=1e-6)
    taught = -((1 - s) * p * D.log() + s * p * (1 - D).log() + q * (1 - D).log()).sum()
    assert objective(smoothing=s).critic(d[REAL], d[FAKE], {}).item() == pytest.approx(taught.item(), rel=1e-9)
    assert objective(smoothing=s).generator(d[FAKE]) == objective().generator(d[FAKE]), "what G is paid stays"
    with pytest.raises(tacit.InputError, match="smoothing=1"):
        objective(smoothing=1.0)


def test_equal_distributions_give_minus_log_four():
    zero = torch.zeros(20, dtype=torch.float64)
    assert -tacit.Minimax().critic(zero, zero).item() == pytest.approx(-math.log(4), abs=1e-12)


def test_the_generators_gradients_differ_by_one_minus_d_over_d():
    logits = torch.linspace(-6, 6, 25, dtype=torch.float64, requires_grad=True)
    (saturating,) = torch.autograd.grad(tacit.Minimax().generator(logits), logits)
    (strong,) = torch.autograd.grad(tacit.NonSaturating().generator(logits), logits)
    D = torch.sigmoid(logits.detach())
    torch.testing.assert_close(strong / saturating, (1 - D) / D, rtol=1e-9, atol=0.0)
    torch.testing.assert_close(saturating * 25, -D, rtol=1e-9, atol=0.0)


def test_losses_stay_finite_at_extreme_logits():
    far = torch.tensor([-1e4, 1e4], requires_grad=True)
    for o in (tacit.Minimax(), tacit.NonSaturating(), tacit.Hinge(), tacit.Wasserstein()):
        for loss in (o.critic(far, far, {}), o.generator(far)):
            (g,) = torch.autograd.grad(loss, far)
            assert torch.isfinite(loss) and torch.isfinite(g).all()


def test_least_squares_is_pearsons_chi_squared():
    """a, b, c = −1, 1, 0: D* = (p − q)/(p + q), and ½E_p D² + ½E_q D² = ½χ²(p + q ‖ 2q) (real data counted, as in the paper)."""
    o = tacit.LeastSquares(a=-1.0, b=1.0, c=0.0)
    d = best(o)
    torch.testing.assert_close(d, (p - q) / (p + q), rtol=1e-7, atol=1e-9)
    whole = o.generator(d[FAKE]) + o.generator(d[REAL])
    chi2 = ((2 * q - (p + q)) ** 2 / (p + q)).sum()
    assert 2 * whole.item() == pytest.approx(chi2.item(), rel=1e-8)
    torch.testing.assert_close(best(tacit.LeastSquares(0.0, 1.0, 1.0)), p / (p + q), rtol=1e-7, atol=1e-9)


def test_hinge():
    """min over D ∈ [−1, 1]: D* = sign(p − q), loss 2 − 2·TV... = 2·Σ min(p, q)."""
    d = torch.sign(p - q)
    o = tacit.Hinge()
    assert o.critic(d[REAL], d[FAKE]).item() == pytest.approx(2 * torch.minimum(p, q).sum().item(), rel=1e-12)
    found = torch.linspace(-2, 2, 401, dtype=torch.float64)
    for i in range(12):
        losses = p[i] * torch.relu(1 - found) + q[i] * torch.relu(1 + found)
        assert losses.min().item() == pytest.approx(2 * min(p[i], q[i]).item(), rel=1e-9)
    real, fake = torch.tensor([0.5, 3.0]), torch.tensor([-2.0, 0.0])
    assert o.critic(real, fake).item() == pytest.approx(0.25 + 0.5) and o.generator(fake).item() == 1.0


def test_wasserstein_at_its_best_lipschitz_critic():
    """On the line, W₁ = Σ|F_p − F_q| and D*' = −sign(F_p − F_q)."""
    gap = (p - q).cumsum(0)[:-1]
    d = torch.cat([torch.zeros(1, dtype=torch.float64), -torch.sign(gap).cumsum(0)])
    o = tacit.Wasserstein()
    from scipy.stats import wasserstein_distance

    w = wasserstein_distance(np.arange(12), np.arange(12), p.numpy(), q.numpy())
    assert -o.critic(d[REAL], d[FAKE]).item() == pytest.approx(w, rel=1e-10)
    assert o.critic(d[REAL] + 5, d[FAKE] + 5).item() == pytest.approx(-w, rel=1e-10)
    assert o.generator(d[FAKE]).item() == pytest.approx(-(q * d).sum().item(), rel=1e-12)


@pytest.mark.parametrize("name", names("objective"))
def test_every_objective_pays_means_over_rows(name):
    """Micro-batches may be averaged; critic outputs (B,) and (B, 1) are the same; both players pull apart."""
    o = get("objective", name)()
    g = torch.Generator().manual_seed(0)
    # A state in the middle of a run: all start at 0, where a weight would hide its term.
    memory = {k: torch.full_like(v, 0.5) for k, v in o.memory().items()}
    real, fake = (torch.rand(8, generator=g, dtype=torch.float64, requires_grad=True) for _ in range(2))
    whole = o.critic(real, fake, memory)
    halves = [o.critic(real[i : i + 4], fake[i : i + 4], memory) for i in (0, 4)]
    assert whole.dim() == 0
    assert (whole.item() == pytest.approx(sum(halves).item() / 2, rel=1e-12)) is not o.couples_batch
    assert tuple(o.watch(real, fake, memory)) == o.watched
    assert o.critic(real[:, None], fake[:, None], memory).item() == pytest.approx(whole.item(), rel=1e-12)
    sign = -1 if o.output == "energy" else 1
    gr, gf = torch.autograd.grad(o.critic(real, fake, memory), [real, fake])
    assert sign * gr.sum() < 0 < sign * gf.sum(), "the critic raises real and lowers fake outputs, and energies the other way"
    (up,) = torch.autograd.grad(o.generator(fake, memory=memory), fake)
    assert sign * up.sum() < 0, "the generator raises outputs and lowers energies"

"""Ratio matching: the best ratio, what the loss is, which way each form of the generator's pay points."""

from __future__ import annotations

import math

import pytest
import torch

import tacit
from densities import FAKE, REAL, best, p, q
from tacit.objectives import Bregman

KINDS = [(d, link) for d in ("logistic", "kl", "pearson") for link in ("softplus", "exp")]
each = pytest.mark.parametrize("o", [Bregman(d, link=link) for d, link in KINDS], ids=["-".join(k) for k in KINDS])
CLOSED = {
    "logistic": lambda r: r * r.log() - (1 + r) * (1 + r).log(), "kl": lambda r: r * r.log() - r + 1, "pearson": lambda r: (r - 1) ** 2 / 2,
}  # fmt: skip


@each
def test_the_best_ratio_and_the_divergence(o):
    v = best(o)
    torch.testing.assert_close(o.ratio(v), p / q, rtol=1e-5, atol=1e-7)
    divergence = (q * CLOSED[o.divergence](p / q)).sum().item()
    assert -o.critic(v[REAL], v[FAKE]).item() == pytest.approx(divergence, rel=1e-8)
    assert o.f(v)[FAKE].mean().item() == pytest.approx(divergence, rel=1e-5)
    torch.testing.assert_close(o.log_ratio(v), (p / q).log(), rtol=1e-5, atol=1e-6)


@each
def test_the_critics_loss_is_the_bregman_divergence_between_ratios(o):
    v = torch.linspace(-2, 2, 12, dtype=torch.float64)
    f, r = CLOSED[o.divergence], o.ratio(v).requires_grad_(True)
    (slope,) = torch.autograd.grad(f(r).sum(), r)
    torch.testing.assert_close(o.f(v), f(r).detach())
    torch.testing.assert_close(o.f_at(r.detach()), f(r).detach())
    torch.testing.assert_close(o.slope(v), slope)
    torch.testing.assert_close(o.dual(v), (r * slope - f(r)).detach())
    bregman = (q * (f(p / q) - f(r) - slope * (p / q - r))).sum().item()
    assert o.critic(v[REAL], v[FAKE]).item() + (q * f(p / q)).sum().item() == pytest.approx(bregman, rel=1e-9)


@pytest.mark.parametrize("alpha", [0.1, 0.5])
def test_the_relative_ratio_is_bounded(alpha):
    o = Bregman("pearson", relative=alpha)
    v = best(o)
    base = alpha * p + (1 - alpha) * q
    torch.testing.assert_close(o.ratio(v), p / base, rtol=1e-5, atol=1e-7)
    assert (o.ratio(v) < 1 / alpha).all()
    assert -o.critic(v[REAL], v[FAKE]).item() == pytest.approx((base * (p / base - 1) ** 2 / 2).sum().item(), rel=1e-8)


def push(o: Bregman, shift: float) -> float:
    """d/dμ of what a generator of N(μ, 1) pays at μ = 0, with r held at the true ratio to data of N(shift, 1)."""
    x = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    w = torch.exp(-0.5 * x.square()) / math.sqrt(2 * math.pi) * (x[1] - x[0])
    mu = torch.zeros((), dtype=torch.float64, requires_grad=True)
    v = shift * (x + mu) - shift**2 / 2
    (g,) = torch.autograd.grad((w * torch.func.vmap(o.generator)(v[:, None])).sum(), mu)
    return g.item()


@pytest.mark.parametrize("divergence", CLOSED)
def test_the_bounds_gradient_is_the_divergences_own(divergence):
    """D_f(N(m, 1) ‖ N(μ, 1)), by quadrature on either side of μ = 0."""
    m, h = 0.7, 1e-4
    x = torch.linspace(-14, 14, 8001, dtype=torch.float64)
    step = x[1] - x[0]

    def density(mu: float) -> torch.Tensor:
        return torch.exp(-0.5 * (x - mu).square()) / math.sqrt(2 * math.pi)

    def d(mu: float) -> float:
        return float((density(mu) * CLOSED[divergence](density(m) / density(mu))).sum() * step)

    slope = (d(h) - d(-h)) / (2 * h)
    assert slope < 0
    assert push(Bregman(divergence, link="exp", generator_by="bound"), m) == pytest.approx(slope, rel=1e-5)


def test_the_papers_pay_points_to_the_data_where_f_falls():
    """As documented: with kl and pearson E f(r) at a fixed r grows towards the data; with logistic it falls."""
    assert push(Bregman("logistic", link="exp"), 0.7) < 0
    assert push(Bregman("kl", link="exp"), 0.7) == pytest.approx(0.7 * 0.7**2 / 2, rel=1e-6)  # E_p[log r]·m
    assert push(Bregman("pearson", link="exp"), 0.7) == pytest.approx(0.7 * math.expm1(0.49), rel=1e-6)  # E_p[r − 1]·m


def test_by_its_logit_the_logistic_game_is_the_original_one():
    o, v = Bregman(link="exp", generator_by="bound"), torch.linspace(-30, 30, 13, dtype=torch.float64)
    assert o.critic(v, v.flip(0) + 1).item() == pytest.approx(tacit.Minimax().critic(v, v.flip(0) + 1).item())
    assert o.generator(v).item() == pytest.approx(tacit.Minimax().generator(v).item())


def test_losses_stay_finite_far_out():
    far = torch.tensor([-1e4, -80.0, 80.0, 1e4], requires_grad=True)
    near = torch.tensor([-40.0, 40.0], requires_grad=True)
    for d in CLOSED:
        for by in ("estimate", "bound"):
            for o, v in ((Bregman(d, generator_by=by), far), (Bregman(d, link="exp", generator_by=by), near)):
                for loss in (o.critic(v, v), o.generator(v)):
                    (g,) = torch.autograd.grad(loss, v)
                    assert torch.isfinite(loss) and torch.isfinite(g).all(), (o, loss, g)


@pytest.mark.parametrize(("wrong", "message"), [
    ({"divergence": "logistik"}, "did you mean 'logistic'"), ({"link": "log"}, "link='log'.*expected one of: softplus, exp"),
    ({"generator_by": "f"}, "generator_by='f'"), ({"relative": 1.0}, r"relative=1.0; expected α in \[0, 1\)"),
])  # fmt: skip
def test_refusals(wrong, message):
    with pytest.raises(tacit.InputError, match=message):
        Bregman(**wrong)


def test_bgan_scores_rows_by_their_log_ratio():
    with pytest.raises(tacit.InputError, match="BGAN got the objective Hinge; expected Bregman"):
        tacit.BGAN(objective=tacit.Hinge())
    with pytest.raises(tacit.InputError, match="BGAN got pack=2; expected 1"):
        tacit.BGAN(pack=2)
    model = tacit.BGAN(prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(8,))).fit("ring8", steps=3, batch_size=16)
    x = tacit.data.load("ring8").read(0, 20)
    with torch.no_grad():
        v = model.nets.D(model.spec.prepare(x))
    assert model.score(x) == pytest.approx(torch.nn.functional.softplus(v).log().numpy(), rel=1e-4)

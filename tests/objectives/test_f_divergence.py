"""The six divergences against their definitions: conjugates, domains and their edges, tight bounds, known values."""

from __future__ import annotations

import dataclasses
import math
from typing import get_args

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from torch import Tensor

import tacit
from densities import FAKE, REAL, best, p, q
from tacit.core.part import hints
from tacit.objectives import FDivergence
from tacit.objectives.f_divergence import LINKS

NAMES = get_args(hints(FDivergence)["divergence"])
U = torch.logspace(-3, 3, 61, dtype=torch.float64)
each = pytest.mark.parametrize("d", [FDivergence(n) for n in NAMES], ids=NAMES)
LINKED = [FDivergence("kl", link="canonical"), *(FDivergence(n, link=k) for n in NAMES for k in LINKS)]
linked = pytest.mark.parametrize("d", LINKED, ids=lambda d: f"{d.divergence}-{d.link}")
every = pytest.mark.parametrize("d", [*map(FDivergence, NAMES), *LINKED], ids=lambda d: f"{d.divergence}-{d.link}")


def test_all_six_are_here():
    assert set(NAMES) == {"kl", "reverse-kl", "pearson", "squared-hellinger", "jensen-shannon", "gan"}


@each
def test_f_and_its_conjugate_are_conjugate(d):
    """f(u) + f*(t) ≥ ut everywhere, and = at t = f'(u) only."""
    t = d.derivative(U)
    assert (t < d.edge).all()
    torch.testing.assert_close(d.f(U) + d.conjugate(t), U * t, rtol=1e-9, atol=1e-9)
    slack = d.f(U)[:, None] + d.conjugate(t)[None] - U[:, None] * t[None]
    assert slack.min() > -1e-9
    assert slack[~torch.eye(len(U), dtype=torch.bool)].min() > 0


@each
def test_derivatives_are_those_of_f_and_invert_each_other(d):
    u = U.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(d.f(u).sum(), u)
    torch.testing.assert_close(slope, d.derivative(U), rtol=1e-9, atol=1e-9)
    t = d.derivative(U).requires_grad_(True)
    (back,) = torch.autograd.grad(d.conjugate(t).sum(), t)
    torch.testing.assert_close(back, U, rtol=1e-6, atol=1e-9)
    assert d.threshold == pytest.approx(float(d.derivative(torch.ones((), dtype=torch.float64))))
    assert float(d.f(torch.ones((), dtype=torch.float64))) == pytest.approx(-math.log(4) if d.divergence == "gan" else 0.0)


@every
def test_the_activation_grows_into_the_domain_and_what_is_paid_is_the_conjugate_of_it(d):
    v = torch.linspace(-5, 5, 97, dtype=torch.float64) if d.link == "probit" else torch.linspace(-12, 12, 97, dtype=torch.float64)
    g = d.activation(v)
    assert (g.diff() > 0).all() and (g < d.edge).all()
    zero = torch.zeros(1, dtype=torch.float64)
    paid = torch.stack([d.critic(zero, x[None]) + d.activation(zero)[0] for x in v])
    torch.testing.assert_close(paid, d.conjugate(g), rtol=1e-6, atol=1e-9)
    assert d.generator(v).item() == pytest.approx(-d.conjugate(g).mean().item(), rel=1e-6)
    other = dataclasses.replace(d, alternative=True)
    assert other.generator(v).item() == pytest.approx(-g.mean().item())


@each
def test_at_the_edge_of_the_domain(d):
    """f* is infinite from the edge on, finite below; the losses stay finite where the activation rounds to the edge."""
    if math.isfinite(d.edge):
        at = torch.tensor([d.edge, d.edge + 1e-9, d.edge + 5], dtype=torch.float64)
        assert torch.isinf(d.conjugate(at)).all() and (d.conjugate(at) > 0).all()
        near = d.conjugate(torch.tensor([d.edge - 1e-3, d.edge - 1e-6, d.edge - 1e-9], dtype=torch.float64))
        assert torch.isfinite(near).all() and (near.diff() > 0).all(), "f* grows without bound towards the edge"
    else:
        assert torch.isfinite(d.conjugate(torch.tensor([-100.0, 0.0, 50.0]))).all()
    far = torch.tensor([-80.0, -40.0, 40.0, 80.0], requires_grad=True)
    if d.divergence in ("squared-hellinger", "jensen-shannon"):
        assert d.activation(far.detach())[-1].item() == np.float32(d.edge), "in float32 it does round"
    for loss in (d.critic(far, far), d.generator(far), FDivergence(d.divergence, True).generator(far)):
        (g,) = torch.autograd.grad(loss, far)
        assert torch.isfinite(loss) and torch.isfinite(g).all()
    if d.divergence in ("pearson", "jensen-shannon", "gan"):
        assert torch.isfinite(d.critic(far * 1e3, far * 1e3)) and torch.isfinite(d.generator(far * 1e3))


@every
def test_the_loss_is_proper_under_every_link(d):
    """Σ over classes of what V costs, at class probability η, is least where V stands for η."""
    for eta in (0.03, 0.3, 0.5, 0.8, 0.97):
        found = minimize_scalar(
            lambda v, eta=eta: float(-eta * d.activation(at(v)) + (1 - eta) * d.composed(at(v))),
            bounds=(-1.99, 90) if d.divergence == "pearson" and d.link == "table" else (-8, 8), method="bounded",
            options={"xatol": 1e-10},
        )  # fmt: skip
        assert float(d.probability(at(found.x))) == pytest.approx(eta, abs=1e-6)


def at(v: float) -> Tensor:
    return torch.tensor(v, dtype=torch.float64)


@linked
def test_a_linked_critic_finds_the_class_probability(d):
    v = best(d, start=0.1)
    torch.testing.assert_close(d.probability(v), p / (p + q), rtol=1e-4, atol=1e-5)
    assert -d.critic(v[REAL], v[FAKE]).item() == pytest.approx((q * d.f(p / q)).sum().item(), rel=1e-7)


def test_links_against_their_formulas():
    v = torch.linspace(-6, 6, 25, dtype=torch.float64)
    formulas = {
        "logistic": v.sigmoid(), "matsushita": 0.5 * (1 + 0.5 * v / (1 + v.square() / 4).sqrt()), "probit": torch.special.ndtr(v),
    }  # fmt: skip
    for link, eta in formulas.items():
        torch.testing.assert_close(FDivergence("gan", link=link).probability(v), eta)
    far = torch.tensor([-1e4, 1e4], requires_grad=True)
    for name in ("kl", "reverse-kl"):
        d = FDivergence(name, link="matsushita")
        (g,) = torch.autograd.grad(d.critic(far, far), far)
        assert torch.isfinite(d.critic(far, far)) and torch.isfinite(g).all(), "where the table's overflow"


@pytest.mark.parametrize("name", ["reverse-kl", "squared-hellinger", "jensen-shannon", "gan"])
def test_the_signature_gives_the_divergence_back(name):
    """−log_χ(u) = −∫_1^u dt/χ(t) is f up to c(u − 1), and −1/χ is f' up to c."""
    d = FDivergence(name)
    for u in (0.2, 0.9, 3.0, 20.0):
        log, _ = quad(lambda t: float(1 / d.signature(at(t))), 1, u, epsabs=1e-12)
        assert -log == pytest.approx(float(d.f(at(u)) - d.f(at(1.0))) - d.edge * (u - 1), abs=1e-9)
    chi = d.signature(U)
    assert (chi > 0).all() and (chi.diff() > 0).all()
    if name == "reverse-kl":
        torch.testing.assert_close(chi, U)


def test_what_fits_no_link_is_refused_with_both_sides():
    for name in ("reverse-kl", "pearson", "squared-hellinger", "jensen-shannon", "gan"):
        with pytest.raises(tacit.InputError, match=f"{name}.*canonical.*reaches only"):
            FDivergence(name, link="canonical")
    with pytest.raises(tacit.InputError, match="did you mean 'matsushita'"):
        FDivergence("kl", link="matsusita")
    for name in ("kl", "pearson"):
        with pytest.raises(tacit.InputError, match="no signature"):
            FDivergence(name).signature(U)


@each
def test_the_bound_is_tight_between_two_tables(d):
    v = best(d, start=0.1)
    torch.testing.assert_close(d.activation(v), d.derivative(p / q), rtol=1e-4, atol=1e-5)
    assert -d.critic(v[REAL], v[FAKE]).item() == pytest.approx((q * d.f(p / q)).sum().item(), rel=1e-7)
    assert ((d.activation(v) > d.threshold) == (p > q))[p != q].all(), "above the threshold where the data is likelier"


def expected_loss(d: FDivergence, v: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """Σ p·(what a real output costs) + Σ q·(what a fake one costs), from the critic's loss of single rows."""
    rows, none = v[:, None], torch.zeros_like(v)[:, None]
    cost = torch.func.vmap(d.critic)
    return (p * cost(rows, none) + q * cost(none, rows)).sum() - d.critic(none[0], none[0]) * (p.sum() + q.sum()) / 2


@each
def test_a_trained_network_estimates_the_divergence_of_two_gaussians(d):
    """Within 5 % of the integral of q·f(p/q), and never above it: it is a bound."""
    P, Q = norm(0.8, 1.0), norm(0.0, 1.2)

    def masses(n: int) -> tuple[Tensor, Tensor, Tensor]:
        x = torch.linspace(-7, 8, n, dtype=torch.float64)
        return x[:, None], *(torch.from_numpy(a.pdf(x.numpy())) * 15 / (n - 1) for a in (P, Q))

    with torch.random.fork_rng():
        torch.manual_seed(0)
        D = tacit.MLP(widths=(16,), critic_act="tanh").critic(tacit.data.Spec(shape=(1,))).double()
    x, pp, qq = masses(241)
    optimiser = torch.optim.LBFGS(D.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = expected_loss(d, D(x), pp, qq)
        loss.backward()
        return loss

    optimiser.step(closure)
    x, pp, qq = masses(4001)
    truth = (qq * d.f(pp / qq)).sum().item()
    again = float(tacit.metrics.divergences.divergence_1d(d.divergence, P.logpdf, Q.logpdf, -7, 8))
    assert truth == pytest.approx(again * (2 if d.divergence == "jensen-shannon" else 1), rel=1e-5)
    with torch.no_grad():
        estimate = -expected_loss(d, D(x), pp, qq).item()
    floor = float(d.f(torch.ones((), dtype=torch.float64)))
    print(f"{d.divergence}: {estimate:.4f} of {truth:.4f}")
    assert estimate <= truth + 1e-6
    assert estimate - floor == pytest.approx(truth - floor, rel=0.05)


def test_its_gan_is_the_original_game():
    g = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 9, generator=g)
    d, other = FDivergence("gan"), FDivergence("gan", alternative=True)
    assert d.critic(real, fake).item() == pytest.approx(tacit.Minimax().critic(real, fake).item())
    assert d.generator(fake).item() == pytest.approx(tacit.Minimax().generator(fake).item())
    assert other.generator(fake).item() == pytest.approx(tacit.NonSaturating().generator(fake).item())


def test_an_unknown_divergence_is_refused_with_the_nearest():
    with pytest.raises(tacit.InputError, match="did you mean 'pearson'"):
        FDivergence("pearsn")

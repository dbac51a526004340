"""Penalties against autograd, by hand and by construction."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tacit
from tacit.penalties.gradient import gradient_norms

G = torch.Generator().manual_seed(0)
REAL, FAKE = (torch.randn(6, 3, generator=G, dtype=torch.float64) for _ in range(2))
EPS = torch.rand(6, generator=G, dtype=torch.float64)


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0)).double()


def norms(net: Any, x: Tensor) -> Tensor:
    """Row by row, from the Jacobian."""
    slope = torch.autograd.functional.jacobian
    return torch.stack([slope(lambda v: net(v[None]).squeeze(), row, create_graph=True).norm() for row in x])


def same(net: nn.Module, got: Tensor, want: Tensor) -> None:
    torch.testing.assert_close(got, want, rtol=1e-8, atol=1e-10)
    weights = [w for n, w in net.named_parameters() if not n.endswith("2.bias")]
    a = torch.autograd.grad(got, weights, retain_graph=True)
    b = torch.autograd.grad(want, weights)
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-7, atol=1e-9)


def test_gradient_penalty_two_sided_and_one_sided(net):
    x = EPS[:, None] * REAL + (1 - EPS[:, None]) * FAKE
    same(net, tacit.GradientPenalty(10.0)(net, REAL, FAKE, EPS), 10 * (norms(net, x) - 1).square().mean())
    steep = nn.Sequential(nn.Linear(3, 1, bias=False), nn.Flatten(0)).double()
    for size in (0.5, 3.0):
        nn.init.constant_(steep[0].weight, size / 3**0.5)
        assert tacit.GradientPenalty(2.0)(steep, REAL, FAKE, EPS).item() == pytest.approx(2 * (size - 1) ** 2)
        one = tacit.GradientPenalty(2.0, one_sided=True)(steep, REAL, FAKE, EPS).item()
        assert one == pytest.approx(2 * max(size - 1, 0) ** 2)
    with pytest.raises(TypeError, match="needs eps"):
        tacit.GradientPenalty()(net, REAL, FAKE)


@pytest.mark.parametrize(("on", "rows"), [("real", [REAL]), ("fake", [FAKE]), ("both", [REAL, FAKE])])
def test_gradient_norm(net, on, rows):
    want = 0.5 * 3.0 * sum(norms(net, x).square().mean() for x in rows)
    same(net, tacit.GradientNorm(3.0, on=on)(net, REAL, FAKE), want)


def test_lazy_gradient_norm_has_the_same_mean(net):
    values = [tacit.GradientNorm(1.0, every=4)(net, REAL, FAKE, step=s).item() for s in range(8)]
    assert [v > 0 for v in values] == [True, False, False, False] * 2
    assert sum(values) / 8 == pytest.approx(tacit.GradientNorm(1.0)(net, REAL, FAKE).item(), rel=1e-12)


@pytest.mark.parametrize(("on", "rows"), [("real", [REAL]), ("fake", [FAKE]), ("both", [REAL, FAKE])])
@pytest.mark.parametrize("one_sided", [False, True])
def test_gradient_penalty_on_the_rows_themselves(net, on, rows, one_sided):
    excess = [norms(net, x) - 0.5 for x in rows]
    steep = lambda x: 2 * net(x)  # noqa: E731
    want = 3.0 * sum((2 * e).clamp(min=0 if one_sided else None, max=None if one_sided else 99).square().mean() for e in excess)
    same(net, tacit.GradientPenalty(3.0, one_sided, on=on)(steep, REAL, FAKE), want)


def test_weight_decay(net):
    got = tacit.penalties.WeightDecay(0.3)(net, REAL, FAKE)
    assert got.item() == pytest.approx(0.15 * sum(p.square().sum().item() for p in net.parameters()), rel=1e-12)
    for p, g in zip(net.parameters(), torch.autograd.grad(got, list(net.parameters())), strict=True):
        torch.testing.assert_close(g, 0.3 * p.detach())
    with pytest.raises(tacit.InputError, match="a discriminator of several networks"):
        tacit.penalties.WeightDecay()(lambda x: net(x), REAL, FAKE)


def test_jensen_shannon_norm(net):
    """Its two terms from D = σ(φ) itself: (1 − D)²‖∇φ‖² = ‖∇ log D‖² and D²‖∇φ‖² = ‖∇ log(1 − D)‖²."""
    on_real, on_fake = norms(lambda x: net(x).sigmoid().log(), REAL), norms(lambda x: (1 - net(x).sigmoid()).log(), FAKE)
    want = on_real.square().mean() + on_fake.square().mean()
    same(net, tacit.penalties.JensenShannonNorm(3.0)(net, REAL, FAKE), 1.5 * want)
    late = tacit.penalties.JensenShannonNorm(3.0, decay=0.01)(net, REAL, FAKE, progress=0.5)
    assert late.item() == pytest.approx(0.15 * want.item(), rel=1e-8), "γ·decay^½"


@pytest.mark.parametrize("divergence", ["kl", "reverse-kl", "pearson", "squared-hellinger", "jensen-shannon", "gan"])
def test_conjugate_norm_from_the_conjugate_of_the_objective(net, divergence):
    """(f*)''(ψ)·‖∇ψ‖² with ψ = g_f(V), (f*)'' by autograd."""
    f = tacit.objectives.FDivergence(divergence)
    psi = lambda x: f.activation(net(x))  # noqa: E731
    t = psi(FAKE)
    (slope,) = torch.autograd.grad(f.conjugate(t).sum(), t, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), t, create_graph=True, allow_unused=True) if slope.requires_grad else (None,)
    assert curvature is not None
    got = tacit.penalties.ConjugateNorm(divergence, 3.0)(net, REAL, FAKE)
    same(net, got, 1.5 * (curvature * norms(psi, FAKE).square()).mean())


def test_weights_of_rows_that_another_objective_has_are_refused():
    J, C, F = tacit.penalties.JensenShannonNorm, tacit.penalties.ConjugateNorm, tacit.objectives.FDivergence
    assert tacit.GAN(penalty=J()) and tacit.GAN(objective=F("kl"), penalty=C("kl"))
    for objective, penalty, words in (
        (tacit.Hinge(), J(), "JensenShannonNorm with the objective Hinge has no meaning"),
        (F("pearson"), C("kl"), "ConjugateNorm of kl with the objective FDivergence of pearson has no meaning"),
        (tacit.Minimax(), C("gan"), "ConjugateNorm of gan with the objective Minimax has no meaning"),
    ):
        with pytest.raises(tacit.InputError, match=words):
            tacit.GAN(objective=objective, penalty=penalty)
    with pytest.raises(tacit.InputError, match=r"decay=0\.0; expected weight >= 0 and decay in"):
        J(decay=0.0)


def test_penalties_reach_the_generator_where_the_field_is_differentiated_and_not_elsewhere(net):
    """Rows without a graph give none; rows with one are differentiated through, as consensus and unrolling ask."""
    lead = torch.ones((), dtype=torch.float64, requires_grad=True)
    between = lambda fake: EPS[:, None] * REAL + (1 - EPS[:, None]) * fake  # noqa: E731
    for penalty, want in (
        (tacit.GradientPenalty(), 10 * (norms(net, between(lead * FAKE)) - 1).square().mean()),
        (tacit.GradientNorm(1.0, on="both"), 0.5 * (norms(net, REAL).square().mean() + norms(net, lead * FAKE).square().mean())),
    ):
        (got,) = torch.autograd.grad(penalty(net, REAL, lead * FAKE, EPS), lead)
        (expected,) = torch.autograd.grad(want, lead)
        torch.testing.assert_close(got, expected, rtol=1e-8, atol=1e-10)
        given = penalty(net, REAL, (lead * FAKE).detach(), EPS)
        assert torch.autograd.grad(given, lead, allow_unused=True)[0] is None


def test_norms_are_float32_inside_autocast():
    """The network may run in bf16; the norm of its gradient is a float32 sum (1,000 ones, where bf16 would stop at 256)."""
    net = nn.Sequential(nn.Linear(1000, 1, bias=False), nn.Flatten(0))
    nn.init.ones_(net[0].weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = gradient_norms(net, torch.randn(6, 1000, generator=G))
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, torch.full((6,), 1000**0.5))
    flat = nn.Sequential(nn.Linear(3, 1, bias=False), nn.Flatten(0))
    nn.init.zeros_(flat[0].weight)
    (g,) = torch.autograd.grad(gradient_norms(flat, REAL.float()).sum(), flat[0].weight)
    assert torch.isfinite(g).all(), "the norm's derivative at 0"


def test_weight_clipping():
    net = nn.Linear(50, 50)
    with torch.no_grad():
        net.weight.normal_(generator=G)
        before = net.weight.clone()
        tacit.WeightClipping(0.3).project(net)
    torch.testing.assert_close(net.weight.detach(), before.clamp(-0.3, 0.3))
    system = tacit.GAN(
        prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(8,)), objective=tacit.Wasserstein(), penalty=tacit.WeightClipping(0.01)
    )
    model = tacit.fit(system, torch.randn(32, 2, generator=G).numpy(), steps=3, batch_size=8, precision="float32")
    sizes = {net: max(p.abs().max().item() for p in m.parameters()) for net, m in model.nets.modules().items()}
    assert sizes["D"] <= 0.01 + 1e-8 and sizes["G"] > 0.01


@pytest.mark.parametrize("networks", [tacit.MLP(widths=(16,)), tacit.networks.DCGAN(width=4), tacit.networks.ResNet(width=4)])
def test_spectral_normalisation_makes_every_layer_1_lipschitz(networks):
    spec = tacit.data.Spec(shape=(1, 16, 16), kind="image", bounded=True)
    torch.manual_seed(0)
    D = tacit.SpectralNormalisation().wrap(networks.critic(spec)).train()
    x = torch.rand(4, 1, 16, 16)
    for _ in range(150):
        D(x)
    layers = [m for m in D.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert layers
    for m in layers:
        sigma = torch.linalg.matrix_norm(m.weight.detach().flatten(1), 2)
        assert sigma.item() == pytest.approx(1.0, abs=0.02)


def test_no_penalty():
    net = nn.Linear(3, 1)
    before = net.weight.clone()
    none = tacit.NoPenalty()
    assert none(net, REAL, FAKE, EPS).item() == 0 and none.wrap(net) is net
    none.project(net)
    assert torch.equal(net.weight, before)

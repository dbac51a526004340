"""Activations against their signatures: v' = χ(v), admissible, inverse known, and the Legendre conjugates that some of them are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch import Tensor

import tacit
from tacit.cite import papers
from tacit.data import Spec
from tacit.networks import DCGAN, MLP, ResNet
from tacit.networks.activations import ACTIVATIONS, TABLE, Proper, activation

NAMES = [*TABLE, "leaky-relu:0.05", "parametric-relu:0.5", "elu:0.5:2", "mu-relu:0", "mu-relu:0.95"]
each = pytest.mark.parametrize("name", NAMES)
# No point on a corner.
Z = torch.linspace(-6.03, 6.02, 199, dtype=torch.float64)


def values_and_slopes(name: str) -> tuple[Tensor, Tensor]:
    z = Z.clone().requires_grad_(True)
    v = activation(name).double()(z)
    (slope,) = torch.autograd.grad(v.sum(), z)
    return v.detach(), slope


@each
def test_the_slope_is_the_signature_of_the_value(name):
    v, slope = values_and_slopes(name)
    with torch.no_grad():
        torch.testing.assert_close(slope, activation(name).double().signature(v), rtol=1e-9, atol=1e-12)


@each
def test_admissible(name):
    """Growing where it is above its floor, convex, its signature positive and growing."""
    v, slope = values_and_slopes(name)
    net = activation(name)
    assert (slope.diff() >= -1e-12).all(), "convex"
    assert (v >= net.floor).all() and (slope[v > net.floor] > 0).all()
    if np.isfinite(net.floor):
        low = activation(name).double()(torch.tensor([-1e6], dtype=torch.float64)).item()
        assert low == pytest.approx(net.floor, abs=1e-5)
    else:
        assert 0 < slope[0] <= 1


@each
@torch.no_grad()
def test_the_inverse_is_the_integral_of_one_over_the_signature(name):
    net = activation(name).double()
    v = net(Z)
    inside = v > net.floor + 1e-6
    torch.testing.assert_close(net.inverse(v)[inside], Z[inside], rtol=1e-7, atol=1e-7)
    low, high = float(net(torch.tensor(0.3, dtype=torch.float64))), float(net(torch.tensor(1.7, dtype=torch.float64)))
    corner = [3.0] if name == "lsu" else None
    area, _ = quad(lambda t: 1 / float(net.signature(torch.tensor(t, dtype=torch.float64))), low, high, points=corner)
    assert area == pytest.approx(1.4, rel=1e-6)


@pytest.mark.parametrize("name", [n for n in NAMES if issubclass(TABLE[n.partition(":")[0]], Proper)])
@torch.no_grad()
def test_conjugates(name):
    """v = scale·τ*(z) + k with v(0) = 0, τ symmetric, convex and 0 at the ends."""
    net = activation(name).double()
    u = 0.5 - 0.5 * torch.linspace(0, torch.pi, 100_001, dtype=torch.float64).cos()
    tau = net.tau(u)
    assert tau[[0, -1]].abs().max() == 0
    middles = net.tau((u[::1000, None] + u[None, ::1000]) / 2)
    assert (middles <= (tau[::1000, None] + tau[None, ::1000]) / 2 + 1e-12).all()
    torch.testing.assert_close(tau, tau.flip(0))
    conjugate = torch.stack([(u * z - tau).max() for z in Z])
    origin = -tau.min()
    torch.testing.assert_close(net(Z), net.scale * (conjugate - origin), rtol=1e-6, atol=1e-7)
    assert net(torch.zeros(1, dtype=torch.float64)).abs().item() < 1e-12


def test_known_values():
    """The authors' own numbers for the least square unit, less their constant; a sharp corner is a ReLU."""
    z = torch.tensor([-2.0, 1.0, 0.5, -1.0, 2.0])
    assert activation("lsu")(z).tolist() == [-1.0, 3.0, 1.25, -1.0, 7.0]
    sharp = activation("mu-relu:0.9999")(z)
    torch.testing.assert_close(sharp, z.clamp_min(0), atol=1e-4, rtol=0)
    torch.testing.assert_close(activation("elu")(z), torch.nn.functional.elu(z))


@pytest.mark.parametrize("name", ["mu-relu:0.5", "lsu", "log2-softplus", "parametric-relu", "elu:0.5:2", "tanh"])
@pytest.mark.parametrize("cls", [MLP, DCGAN, ResNet])
def test_networks_take_them_on_both_sides(cls, name):
    size = {"widths": (6,)} if cls is MLP else {"width": 2}
    spec = Spec(shape=(1, 8, 8), kind="image", bounded=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plain, made = (cls(**size, act=a).decoder(3, spec) for a in ("relu", name))
        critic = cls(**size, critic_act=name).critic(spec)
        z = torch.randn(5, 3)
    kind = type(activation(name))
    assert any(isinstance(m, kind) for m in made.modules()) and any(isinstance(m, kind) for m in critic.modules())
    assert not any(isinstance(m, kind) for m in plain.modules())
    out = critic(made(z))
    out.sum().backward()
    assert torch.isfinite(out).all() and all(p.grad is not None for p in [*made.parameters(), *critic.parameters()])


def test_unusable_names_are_refused():
    for text, words in {
        "mu-rel": "did you mean 'mu-relu'", "mu-relu:1": r"\[0, 1\)", "elu:2:1": "beta >= alpha", "lsu:3": "at most 0",
        "elu:x": "at most 2", "leaky-relu:0": r"\(0, 1\]",
    }.items():  # fmt: skip
        for make in (lambda t=text: MLP(act=t), lambda t=text: DCGAN(critic_act=t), lambda t=text: ResNet(act=t)):
            with pytest.raises(tacit.InputError, match=words) as e:
                make()
            assert "act=" in str(e.value) and "\n" not in str(e.value)
    assert all(activation(n) for n in ACTIVATIONS)


def test_it_is_cited_where_it_is_used():
    nock = "arXiv:1707.04385"
    uses = [
        tacit.GAN(networks=MLP(act="mu-relu:0.9")), tacit.GAN(networks=DCGAN(critic_act="lsu")),
        tacit.GAN(objective=tacit.objectives.FDivergence("gan", link="matsushita")),
    ]  # fmt: skip
    assert all(nock in [p.id for p in papers(s)] for s in uses)
    assert nock not in [p.id for p in papers(tacit.GAN(objective=tacit.objectives.FDivergence("gan")))]

"""Architectures: shapes, ranges, normalisation, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import tacit
from tacit.core import Rng
from tacit.data import Spec
from tacit.networks import DCGAN, MLP, FixedFeatures, ResNet
from tacit.networks.fixed_features import Features, n_features
from tacit.networks.layers import BatchNorm

SIDES = (8, 16, 28, 32, 64)
PICTURES = [
    MLP(widths=(8,)), DCGAN(width=2), DCGAN(width=2, dense=6, critic_norm="batch"), ResNet(width=2), ResNet(width=2, norm="layer"),
]  # fmt: skip


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("networks", PICTURES, ids=lambda n: f"{type(n).__name__}-{n.norm}")
def test_pictures_of_any_size(networks, side, channels):
    spec = Spec(shape=(channels, side, side), kind="image", bounded=True)
    prior = tacit.OneHotGaussian(3, 2)
    G, D, E = networks.generator(prior, spec), networks.critic(spec), networks.encoder(spec, 7)
    with torch.no_grad():
        x = G(prior.sample(4, Rng(0)))
        assert x.shape == (4, channels, side, side) and x.min() >= 0 and x.max() <= 1
        assert torch.equal(G.eval()(prior.join(prior.sample(4, Rng(0)))), G.eval()(prior.sample(4, Rng(0))))
        assert D(x).shape == (4,) and networks.critic(spec, 5)(x).shape == (4, 5) and E(x).shape == (4, 7)
        assert networks.decoder(6, spec)(torch.randn(4, 6)).shape == x.shape
    assert isinstance([m for m in E.modules() if not list(m.children())][-1], nn.Linear), "a linear last layer"


def test_oblong_pictures_and_other_shapes():
    for networks in (DCGAN(width=2), ResNet(width=2), MLP(widths=(4,))):
        spec = Spec(shape=(2, 16, 24), kind="image", bounded=True)
        x = networks.decoder(3, spec)(torch.randn(2, 3))
        assert x.shape == (2, 2, 16, 24) and networks.encoder(spec, 4)(x).shape == (2, 4)
    spec = Spec(shape=(5, 3), kind="sequence")
    assert MLP(widths=()).decoder(3, spec)(torch.randn(2, 3)).shape == (2, 5, 3)
    assert MLP(widths=(4,)).encoder(spec, 2)(torch.randn(2, 5, 3)).shape == (2, 2)


def test_unbounded_data_have_an_unbounded_output():
    spec = Spec(shape=(6,))
    out = MLP(widths=(8,)).decoder(4, spec)(100 * torch.randn(64, 4, generator=torch.Generator().manual_seed(0)))
    assert out.min() < 0 and out.max() > 1


@pytest.mark.parametrize("networks", [DCGAN(), ResNet()])
@pytest.mark.parametrize("shape", [(1, 7, 7), (1, 4, 4), (1, 8, 9), (6,)])
def test_shapes_that_cannot_be_served_are_refused(networks, shape):
    spec = Spec(shape=shape, kind="image" if len(shape) == 3 else "vector")
    for build in (networks.check, networks.critic, lambda s: networks.decoder(3, s)):
        with pytest.raises(tacit.InputError, match=r"expected .*; .*networks=MLP\(\)"):
            build(spec)


@pytest.mark.parametrize("make", [
    lambda: MLP(widths=(0,)), lambda: MLP(norm="instance"), lambda: MLP(act="gelu2"), lambda: DCGAN(width=0),
    lambda: DCGAN(norm="x"),
    lambda: ResNet(width=0), lambda: ResNet(critic_norm="x"), lambda: MLP(critic_act="x"),
])  # fmt: skip
def test_meaningless_options_are_refused(make):
    with pytest.raises(tacit.InputError, match="expected"):
        make()


def test_initial_weights_follow_the_paper():
    torch.manual_seed(0)
    net = DCGAN(width=16).critic(Spec(shape=(1, 32, 32), kind="image", bounded=True))
    for m in net.modules():
        if isinstance(m, nn.Conv2d | nn.Linear):
            assert m.weight.std().item() == pytest.approx(0.02, rel=0.25) and m.bias.abs().max() == 0


def test_gradients_reach_every_weight():
    spec = Spec(shape=(1, 16, 16), kind="image", bounded=True)
    for networks in PICTURES:
        torch.manual_seed(0)
        net = nn.Sequential(networks.decoder(5, spec), networks.critic(spec))
        net(torch.randn(8, 5)).square().sum().backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


def test_batch_norm_equals_pytorchs():
    x = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    mine, theirs = BatchNorm(3), nn.BatchNorm2d(3)
    for _ in range(2):
        torch.testing.assert_close(mine(x), theirs(x))
    torch.testing.assert_close(mine.running_var, theirs.running_var)
    torch.testing.assert_close(mine.eval()(x), theirs.eval()(x))
    assert BatchNorm(3)(x[:, :, 0, 0]).shape == (8, 3)


def test_fixed_features_are_the_monomials_and_cosines_and_stay():
    phi = Features(3, degree=3, fourier=5, scale=2.0, seed=1)
    x = torch.tensor([[2.0, 3.0, 5.0], [1.0, -1.0, 0.5]])
    out = phi(x)
    assert out.shape == (2, n_features(3, 3, 5)) and n_features(3, 3, 5) == 3 + 6 + 10 + 5
    assert out[0, :9].tolist() == [2, 3, 5, 4, 6, 10, 9, 15, 25] and out[0, 9:19].tolist()[:3] == [8, 12, 20]
    torch.testing.assert_close(out[:, 19:], (x @ phi.omega + phi.phase).cos())
    assert torch.equal(phi.omega, Features(3, fourier=5, scale=2.0, seed=1).omega)
    assert not list(phi.parameters()) and Features(2, degree=0, fourier=4)(x[:, :2]).shape == (2, 4)


def test_a_critic_over_fixed_features_is_linear_in_them():
    networks = FixedFeatures(networks=MLP(widths=(4,)), degree=2)
    spec = Spec(shape=(1, 2, 2), kind="image", bounded=True)
    D, x = networks.critic(spec), torch.rand(5, 1, 2, 2)
    weights = dict(D.named_parameters())
    assert sorted(w.shape.numel() for w in weights.values()) == [1, 14] and networks.critic(spec, 3)(x).shape == (5, 3)
    slope, base = (next(w for w in weights.values() if w.shape.numel() == k) for k in (14, 1))
    torch.testing.assert_close(D(x), Features(4)(2 * x.flatten(1) - 1) @ slope[0] + base)
    assert networks.generator(tacit.Gaussian(2), spec)(torch.randn(3, 2)).shape == (3, 1, 2, 2)
    assert networks.encoder(spec, 6)(x).shape == (5, 6) and networks.decoder(6, spec)(torch.randn(5, 6)).shape == x.shape


def test_fixed_features_refusals():
    with pytest.raises(tacit.InputError, match="expected degree or fourier of 1 or more"):
        FixedFeatures(degree=0)
    with pytest.raises(tacit.InputError, match="308504 monomials of degree 2; expected at most 20000"):
        FixedFeatures().check(Spec(shape=(1, 28, 28), kind="image"))


def test_a_maxout_critic_is_the_largest_of_its_pieces():
    spec = Spec(shape=(3,), kind="vector")
    D = tacit.networks.Maxout(widths=(4,), critic_widths=(2,), pieces=3).critic(spec)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    first, last = (m for m in D.modules() if isinstance(m, nn.Linear))
    hidden = torch.stack([(x @ first.weight[3 * i : 3 * i + 3].T + first.bias[3 * i : 3 * i + 3]).max(1).values for i in range(2)], 1)
    assert torch.allclose(D(x), (hidden @ last.weight.T + last.bias).squeeze(1))
    with pytest.raises(tacit.InputError, match="pieces=0"):
        tacit.networks.Maxout(pieces=0)


def test_a_recurrent_generator_draws_its_lines_in_order():
    nets = tacit.networks.Recurrent(width=6, critic_networks=DCGAN(width=2))
    spec = Spec(shape=(3, 8, 10), kind="image", bounded=False)
    G = nets.generator(tacit.Gaussian(4), spec)
    z = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    cell = next(m for m in G.modules() if isinstance(m, nn.LSTMCell))
    line = next(m for m in G.modules() if isinstance(m, nn.Linear))
    h, c = cell(z)
    for t in range(8):
        assert torch.allclose(G(z)[:, :, t].flatten(1), line(h), atol=1e-6), t
        h, c = cell(torch.zeros_like(z), (h, c))
    assert nets.critic(spec)(G(z)).shape == (2,) and nets.encoder(spec, 5)(G(z)).shape == (2, 5)
    assert nets.decoder(4, Spec(shape=(7,), kind="vector"))(z).shape == (2, 7)
    assert nets.decoder(4, Spec(shape=(7, 2), kind="sequence"))(z).shape == (2, 7, 2)


def test_a_recurrent_generator_unrolls_and_bears_second_derivatives():
    nets = tacit.networks.Recurrent(width=8, critic_networks=MLP(widths=(8,)))
    rule = tacit.rules.Unrolled(tacit.Adam(1e-3), steps=2, ahead=tacit.Adam(1e-3))
    model = tacit.UnrolledGAN(networks=nets, prior=tacit.Gaussian(4), rule=rule).fit("digits", steps=2, progress=False)
    assert np.isfinite(model.sample(2)).all()
    consensus = tacit.Consensus(tacit.Adam(1e-3), 1.0)
    game = tacit.GAN(networks=nets, prior=tacit.Gaussian(4), rule=consensus, critic_rule=consensus, simultaneous=True)
    assert np.isfinite(game.fit("digits", steps=2, progress=False).sample(2)).all()
    with pytest.raises(tacit.InputError, match="width=0"):
        tacit.networks.Recurrent(width=0)

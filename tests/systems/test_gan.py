"""What the two players are paid, by hand; compositions without a meaning."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import softplus

import tacit
from tacit.core import Nets, Rng
from tacit.core.game import Round
from tacit.data import Spec

MLP = tacit.MLP(widths=(6,))
X = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))


def game(system: tacit.System) -> tuple[Nets, Round]:
    torch.manual_seed(0)
    spec = Spec(shape=(3,))
    n = Nets(system.nets(spec), system.memory(spec))
    r = system.draw(n, Rows(X), Rng(1), n.memory)
    r.__dict__.update(memory=n.memory, step=0, progress=0.0, size=8)
    return n, r


class Rows:
    """A batch of rows."""

    def __init__(self, x: torch.Tensor):
        self.x = x

    def __len__(self) -> int:
        return len(self.x)


def test_the_default_game():
    system = tacit.GAN(prior=tacit.Gaussian(2), networks=MLP)
    n, r = game(system)
    real, fake = n.D(X), n.D(n.G(r.z))
    critic, generator = system.critic(n, r), system.generator(n, r)
    torch.testing.assert_close(critic["adversarial"], softplus(-real).mean() + softplus(fake).mean())
    torch.testing.assert_close(critic["adversarial"], -(real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean()))
    torch.testing.assert_close(generator["adversarial"], -fake.sigmoid().log().mean())
    assert critic["penalty"] == 0 and set(generator) == {"adversarial"}
    assert not torch.autograd.grad(critic["adversarial"], n.parameters(("G",)), allow_unused=True)[0]


def test_wgan_gp():
    system = tacit.WGANGP(prior=tacit.Gaussian(2), networks=MLP)
    n, r = game(system)
    fake = n.G(r.z).detach()
    between = (r.eps[:, None] * X + (1 - r.eps[:, None]) * fake).requires_grad_(True)
    slope = torch.autograd.grad(n.D(between).sum(), between)[0].norm(dim=1)
    got = system.critic(n, r)
    torch.testing.assert_close(got["adversarial"], n.D(fake).mean() - n.D(X).mean())
    torch.testing.assert_close(got["penalty"], 10 * (slope - 1).square().mean())
    torch.testing.assert_close(system.generator(n, r)["adversarial"], -n.D(n.G(r.z)).mean())
    turns = system.phases()[0].turns
    assert [(t.names, t.times) for t in turns] == [(("critic",), 5), (("generator",), 1)]


@pytest.mark.parametrize("penalty", [tacit.NoPenalty(), tacit.GradientNorm(1.0)])
@pytest.mark.parametrize("make", [tacit.GAN, tacit.ClusterGAN])
def test_a_critic_that_is_not_lipschitz_is_refused_to_wasserstein(make, penalty):
    with pytest.raises(tacit.InputError) as e:
        make(objective=tacit.Wasserstein(), penalty=penalty, networks=MLP)
    said = str(e.value)
    assert "Wasserstein" in said and type(penalty).__name__ in said and "expected GradientPenalty, WeightClipping" in said
    for fine in (tacit.GradientPenalty(), tacit.WeightClipping(), tacit.SpectralNormalisation()):
        make(objective=tacit.Wasserstein(), penalty=fine, networks=MLP)


@pytest.mark.parametrize("penalty", [tacit.GradientNorm(1.0), tacit.GradientPenalty(1.0)])
@pytest.mark.parametrize("networks", [tacit.MLP(critic_norm="batch"), tacit.networks.DCGAN(critic_norm="batch")])
def test_row_by_row_penalties_are_refused_to_critics_with_batch_statistics(networks: Any, penalty: Any):
    with pytest.raises(tacit.InputError) as e:
        tacit.GAN(penalty=penalty, networks=networks)
    said = str(e.value)
    assert type(penalty).__name__ in said and type(networks).__name__ in said and "expected critic_norm='none' or 'layer'" in said
    tacit.GAN(penalty=penalty, networks=type(networks)(critic_norm="layer"))
    tacit.GAN(penalty=tacit.NoPenalty(), networks=networks)


def test_critic_steps():
    with pytest.raises(tacit.InputError, match="critic_steps=0; expected 1 or more"):
        tacit.GAN(critic_steps=0)


def test_wgan_is_played_as_published():
    system = tacit.WGAN(prior=tacit.Gaussian(2), networks=MLP)
    assert (system.penalty, system.rule, system.critic_rule) == (tacit.WeightClipping(0.01), tacit.RMSProp(5e-5), tacit.RMSProp(5e-5))
    assert system.defaults.batch_size == 64 and [t.times for t in system.phases()[0].turns] == [5, 1]
    n, r = game(system)
    torch.testing.assert_close(system.critic(n, r)["adversarial"], n.D(n.G(r.z)).mean() - n.D(X).mean())
    model = tacit.fit(system, X.numpy(), steps=2, batch_size=4, precision="float32", progress=False)
    assert max(w.abs().max() for w in model.nets.parameters(("D",))) <= 0.01 < max(w.abs().max() for w in model.nets.parameters(("G",)))
